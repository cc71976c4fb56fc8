// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/test/conformance"
)

// The product's own command line, from its module and unchanged.
var _ = Describe("The coder command line", Ordered, func() {
	var (
		binary, config string
		face           conformance.Face
		user           conformance.Account
		environment    []string
	)

	// coder runs the command line as a user at home would, with what the recipe of
	// docs/rest-user-secrets.md says.
	coder := func(ctx context.Context, args ...string) (string, error) {
		command := exec.CommandContext(ctx, binary, args...)
		command.Dir = config
		command.Env = environment
		out, err := command.CombinedOutput()
		return string(out), err
	}
	succeed := func(ctx context.Context, args ...string) string {
		GinkgoHelper()
		out, err := coder(ctx, args...)
		Expect(err).NotTo(HaveOccurred(), "coder %s: %s", strings.Join(args, " "), out)
		return out
	}

	BeforeAll(func(ctx SpecContext) {
		var err error
		binary, err = filepath.Abs("../../bin/tools/coder")
		Expect(err).NotTo(HaveOccurred())
		script(ctx, "../..", nil, "make", "--no-print-directory", "bin/tools/coder")

		face = restFace(ctx, server)
		user, err = conformance.Tenants{Admin: api}.NewUser(ctx, "coder-cli")
		Expect(err).NotTo(HaveOccurred())
		eventually(ctx, face, face.Coder+"/users/me/secrets", user.Token)
		config = GinkgoT().TempDir()
		authority, err := cluster.RESTAuthority(ctx)
		Expect(err).NotTo(HaveOccurred())
		ca := filepath.Join(config, "ca.crt")
		Expect(os.WriteFile(ca, authority, 0o600)).To(Succeed())
		environment = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + config, "CODER_CONFIG_DIR=" + config, "SSL_CERT_FILE=" + ca, "CODER_NO_VERSION_WARNING=true",
		}
	}, NodeTimeout(10*time.Minute))

	It("logs in with a token of the cluster, says who it is and logs out", func(ctx SpecContext) {
		Expect(succeed(ctx, "login", face.Base, "--token", user.Token)).To(ContainSubstring(user.Name))
		Expect(succeed(ctx, "whoami")).To(ContainSubstring(user.Name))
		Expect(succeed(ctx, "secret", "list", "--output", "json")).To(ContainSubstring("[]"))
		succeed(ctx, "logout", "--yes")
		out, err := coder(ctx, "whoami")
		Expect(err).To(HaveOccurred(), out)
	})

	It("keeps the session that it was given, which ends with that token", func(ctx SpecContext) {
		succeed(ctx, "login", face.Base, "--token", user.Token)
		session, err := os.ReadFile(filepath.Join(config, "session"))
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.TrimSpace(string(session))).To(Equal(user.Token))
		_, err = coder(ctx, "login", face.Base, "--token", "no-such-token")
		Expect(err).To(HaveOccurred())
	})

	It("lives the life of secrets", func(ctx SpecContext) {
		succeed(ctx, "login", face.Base, "--token", user.Token)
		succeed(ctx, "secret", "create", "gh", "--value", "first", "--env", "GH_TOKEN", "--description", "made by the command line")
		succeed(ctx, "secret", "update", "gh", "--value", "second", "--file", "~/.config/gh/token")
		succeed(ctx, "secret", "disable", "gh")
		var listed []struct {
			Name     string `json:"name"`
			EnvName  string `json:"env_name"`
			FilePath string `json:"file_path"`
			Enabled  bool   `json:"enabled"`
		}
		Expect(json.Unmarshal([]byte(succeed(ctx, "secret", "list", "--output", "json")), &listed)).To(Succeed())
		Expect(listed).To(HaveLen(1))
		Expect(listed[0]).To(And(
			HaveField("Name", "gh"), HaveField("EnvName", "GH_TOKEN"), HaveField("FilePath", "~/.config/gh/token"), HaveField("Enabled", false)))
		succeed(ctx, "secret", "enable", "gh")

		file := filepath.Join(config, "secrets.env")
		Expect(os.WriteFile(file, []byte("\ufeff# from elsewhere\r\nIMPORTED=x\r\n"), 0o600)).To(Succeed())
		succeed(ctx, "secret", "import", file)
		for _, name := range []string{"gh", "IMPORTED"} {
			succeed(ctx, "secret", "delete", name, "--yes")
		}
		Expect(succeed(ctx, "secret", "list", "--output", "json")).To(ContainSubstring("[]"))
	})

	It("does what its tutorial says", func(ctx SpecContext) {
		page, err := os.ReadFile("../../docs/coder-cli.md")
		Expect(err).NotTo(HaveOccurred())
		_, recipe, found := strings.Cut(string(page), "\n## Log in\n") // what is above it brings the token
		Expect(found).To(BeTrue(), "the page has the recipe")
		var script strings.Builder
		for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(recipe, -1) {
			script.WriteString(block[1])
		}
		shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script.String())
		shell.Dir = config
		shell.Env = append(environment, "LATCHKEY_URL="+face.Base, "LATCHKEY_CA="+filepath.Join(config, "ca.crt"), "TOKEN="+user.Token)
		shell.Env[0] = "PATH=" + filepath.Dir(binary) + ":" + os.Getenv("PATH")
		out, err := shell.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(out))
		Expect(string(out)).To(ContainSubstring(user.Name))
	})
})
