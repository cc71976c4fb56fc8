// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os/exec"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("version and completion", func() {
	It("shows both versions, or that of the plugin without a cluster", func(ctx SpecContext) {
		Expect(run(ctx, "default", "", "version")).To(Equal(result{stdout: "plugin dev\nserver dev\n"}))
		Expect(run(ctx, "default", "", "version", "-o", "yaml")).To(Equal(result{stdout: "plugin: dev\nserver: dev\n"}))
		Expect(runBare(ctx, "", "version", "--client", "--kubeconfig", "/nowhere")).To(Equal(result{stdout: "plugin dev\n"}))
		Expect(run(ctx, "default", "", "version", "--system-namespace", "elsewhere")).To(Equal(result{
			code: 3, stdout: "plugin dev\n", stderr: "error: ConfigMap latchkey-public-keys is not in namespace elsewhere: Latchkey is installed elsewhere " +
				"(say where with --system-namespace), or not at all, or its controller has not run yet. Try: kubectl latchkey doctor --system\n",
		}))
	})

	It("writes what a shell takes, and knows the words of can-i", func(ctx SpecContext) {
		script := exec.CommandContext(ctx, "bash", "-n")
		stdin, err := script.StdinPipe()
		Expect(err).NotTo(HaveOccurred())
		Expect(script.Start()).To(Succeed())
		_, err = stdin.Write([]byte(runBare(ctx, "", "completion", "bash").stdout))
		Expect(err).NotTo(HaveOccurred())
		Expect(stdin.Close()).To(Succeed())
		Expect(script.Wait()).To(Succeed())
		Expect(runBare(ctx, "", "__complete", "can-i", "")).To(prints("set\nreveal\nrun\nrotate\n:4\n"))
	})
})
