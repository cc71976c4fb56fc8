// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/test/conformance"
)

// The commands run as they are written, but that curl fails where an answer is an error.
var _ = Describe("The examples of a REST API's page work", Ordered, func() {
	var (
		face  conformance.Face
		owner conformance.Account
	)

	BeforeAll(func(ctx SpecContext) {
		face = restFace(ctx, server)
		owner = restTenant(ctx, api, face, "dev") // as in the local stack
	})

	DescribeTable("of", func(ctx SpecContext, page string, says ...string) {
		text, err := os.ReadFile("../../docs/" + page)
		Expect(err).NotTo(HaveOccurred())
		_, block, found := strings.Cut(string(text), "```sh\n")
		Expect(found).To(BeTrue(), "the page has examples")
		block, _, _ = strings.Cut(block, "```")
		authority, err := cluster.RESTAuthority(ctx)
		Expect(err).NotTo(HaveOccurred())
		folder := GinkgoT().TempDir()
		ca := filepath.Join(folder, "ca.crt")
		Expect(os.WriteFile(ca, authority, 0o600)).To(Succeed())

		shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-O", "expand_aliases", "-c",
			"curl() { command curl -sS --fail-with-body \"$@\" && echo; }\n"+block)
		shell.Dir = folder
		shell.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "KUBECONFIG=" + filepath.Join(cluster.Dir, "admin.kubeconfig"), "KUBECTL=" + cluster.Kubectl.Path(),
			"LATCHKEY_URL=" + face.Base, "LATCHKEY_CA=" + ca, "LATCHKEY_TOKEN=" + owner.Token,
		}
		out, err := shell.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(out))
		for _, s := range says {
			Expect(string(out)).To(MatchRegexp(s))
		}
	},
		Entry("user secrets", "rest-user-secrets.md", `"env_name": ?"GH"`, `"enabled": ?false`, `"name": ?"B"`),
		Entry("agent secrets", "rest-agent-secrets.md", `"secretValue": ?"sample"`, `"revision": ?1`, `"revision": ?2`),
	)
})
