// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/test/conformance"
)

// clientsFolder has the programs whose types are generated from documents.
const clientsFolder = "../clients"

// notChecked are the ways to tell the compiler that it is wrong.
var notChecked = regexp.MustCompile(`(?m)^[^/\n]*(\bas [A-Za-z{]|\bany\b|@ts-|\w![.;,)])`)

var _ = Describe("Clients that are generated from OpenAPI documents", Ordered, func() {
	var (
		dir         string // a copy of the programs, with their packages
		direct, agg conformance.Face
		tenants     conformance.Tenants
		ca          string
	)

	BeforeAll(func(ctx SpecContext) {
		if _, err := exec.LookPath("npm"); err != nil {
			Skip("node and npm are not installed, so clients in TypeScript cannot be built")
		}
		dir = GinkgoT().TempDir()
		for _, pattern := range []string{"*.ts", "*.json", "*.yaml", ".npmrc"} {
			files, err := filepath.Glob(filepath.Join(clientsFolder, pattern))
			Expect(err).NotTo(HaveOccurred())
			Expect(files).NotTo(BeEmpty(), pattern)
			for _, file := range files {
				text, err := os.ReadFile(file)
				Expect(err).NotTo(HaveOccurred())
				Expect(os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o600)).To(Succeed())
			}
		}
		Expect(os.MkdirAll(filepath.Join(dir, "generated"), 0o700)).To(Succeed())
		script(ctx, dir, nil, "npm", "ci", "--ignore-scripts")

		direct = restFace(ctx, server)
		var err error
		agg, err = conformance.Aggregated(cluster.Config.Host, cluster.Config.CAData)
		Expect(err).NotTo(HaveOccurred())
		tenants = conformance.Tenants{Admin: api}
		authority, err := cluster.RESTAuthority(ctx)
		Expect(err).NotTo(HaveOccurred())
		ca = filepath.Join(dir, "ca.crt")
		Expect(os.WriteFile(ca, append(authority, cluster.Config.CAData...), 0o600)).To(Succeed())
	}, NodeTimeout(5*time.Minute))

	It("are written without casts", func() {
		programs, err := filepath.Glob(filepath.Join(clientsFolder, "*.ts"))
		Expect(err).NotTo(HaveOccurred())
		Expect(programs).NotTo(BeEmpty())
		for _, path := range programs {
			text, err := os.ReadFile(path)
			Expect(err).NotTo(HaveOccurred())
			Expect(notChecked.FindString(string(text))).To(BeEmpty(), path)
		}
	})

	It("live the life of secrets on both faces, from our document and from one of upstream's shape", func(ctx SpecContext) {
		env, err := tenants.NewEnvironment(ctx, "generated-env")
		Expect(err).NotTo(HaveOccurred())
		Expect(tenants.GrantEditor(ctx, env)).To(Succeed())
		user, err := tenants.NewUser(ctx, "generated-user")
		Expect(err).NotTo(HaveOccurred())
		for name, group := range map[string]string{"golem": "/apis/golem.latchkey.dev/v1", "coder": "/apis/coder.latchkey.dev/v2"} {
			document := eventually(ctx, direct, direct.Base+"/openapi/v3"+group, user.Token)
			Expect(eventually(ctx, agg, agg.Base+"/openapi/v3"+group, user.Token)).To(MatchJSON(document))
			Expect(os.WriteFile(filepath.Join(dir, "generated", name+".json"), document, 0o600)).To(Succeed())
		}
		for _, f := range []conformance.Face{direct, agg} {
			eventually(ctx, f, f.Golem+"/envs/"+env.ID+"/agent-secrets", env.Token)
			eventually(ctx, f, f.Coder+"/users/me/secrets", user.Token)
		}
		script(ctx, dir, nil, "npx", "openapi-typescript", "generated/coder.json", "-o", "generated/coder.ts")
		for _, document := range []string{"generated/golem.json", "upstream.yaml"} {
			// What upstream's document says nothing of can be anything.
			script(ctx, dir, nil, "npx", "openapi-typescript", document, "--empty-objects-unknown", "-o", "generated/document.ts")
			script(ctx, dir, nil, "npx", "tsc", "--noEmit")
			script(ctx, dir, nil, "npx", "tsc")
			for _, base := range []string{direct.Base, agg.Base + "/apis/golem.latchkey.dev"} {
				out := script(ctx, dir, []string{
					"NODE_EXTRA_CA_CERTS=" + ca, "LATCHKEY_BASE=" + base, "LATCHKEY_TOKEN=" + env.Token, "LATCHKEY_ENVIRONMENT=" + env.ID,
				}, "node", "build/golem.js")
				Expect(out).To(ContainSubstring("golem: done"))
			}
		}
		out := script(ctx, dir, []string{
			"NODE_EXTRA_CA_CERTS=" + ca, "LATCHKEY_URL=" + direct.Base, "KUBERNETES_URL=" + agg.Base, "LATCHKEY_TOKEN=" + user.Token,
		}, "node", "build/coder.js")
		Expect(out).To(ContainSubstring("coder: done"))
	}, SpecTimeout(10*time.Minute))

	It("can be made from what the cluster merges into its own document", func(ctx SpecContext) {
		Eventually(ctx, func(g Gomega) {
			merged, err := cluster.Kubectl.Run(ctx, "", "get", "--raw", "/openapi/v2")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(merged).To(And(
				ContainSubstring(`"dev.latchkey.golem.v1.AgentSecret"`),
				ContainSubstring(`"/apis/coder.latchkey.dev/v2/users/{user}/secrets/{name}"`)))
		}).Should(Succeed())
		explained, err := cluster.Kubectl.Run(ctx, "", "explain", "usersecrets.spec.envName")
		Expect(err).NotTo(HaveOccurred())
		Expect(explained).To(ContainSubstring("environment variable"))
	})
})

// eventually asks until the answer is a success, and returns it.
func eventually(ctx context.Context, f conformance.Face, url, token string) []byte {
	GinkgoHelper()
	var body []byte
	Eventually(ctx, func(g Gomega) {
		got, err := f.Do(ctx, http.MethodGet, url, http.Header{"Authorization": {"Bearer " + token}}, "")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(got.Status).To(Equal(http.StatusOK), string(got.Body))
		body = got.Body
	}).Should(Succeed())
	return body
}

// script runs a command in a folder and returns what it prints.
func script(ctx context.Context, dir string, env []string, name string, args ...string) string {
	GinkgoHelper()
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), env...)
	out, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s %v: %s", name, args, out)
	return string(out)
}
