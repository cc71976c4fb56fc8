// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/creack/pty"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/test/framework"
)

var _ = Describe("a value", func() {
	It("is in nothing that a command says at the highest verbosity, and in no file that it leaves", func(ctx SpecContext) {
		ns, words := forTwo(ctx)
		home := GinkgoT().TempDir()
		for _, command := range append([]asked{
			{words: "keys rotate --wait"},
			{words: "set p --file ~/p --wait", stdin: canary + "-p"},
			{words: "set q --value-file VALUE"},
			{words: "agent set q --type list<string> --json", stdin: `["` + canary + `"]`},
			{words: "agent set b --type u8", stdin: `"` + canary + `"`}, // refused
			{words: "set t --env PATH", stdin: canary},                  // refused
			{words: "set t --env T", stdin: canary + "\x00"},            // refused
			{words: "import - --format env --yes", stdin: "P=" + canary + "\nQ = " + canary + "\n" + canary},
			{words: "import - --format json --yes", stdin: `{"P":"` + canary + `"`},
			{words: "import - --format yaml --yes", stdin: "P: [" + canary},
			{words: "seal -f MANIFEST"},
			{words: "seal x --kind AgentSecret --path x --type u8", stdin: canary}, // refused
			{words: "validate -f -", stdin: manifest("AgentSecret", ns, "x", "path: [a]\nsecretType: {type: U8}\nvalue: "+canary)},
			{words: "validate -f -", stdin: manifest("UserSecret", ns, "x", "value: ["+canary)},
			{words: "plan -f -", stdin: manifest("UserSecret", ns, "x", "envName: PATH\nvalue: "+canary)},
			{words: "list -o yaml"}, {words: "list -o json"}, {words: "agent list -o yaml"}, {words: "describe a"},
			{words: "doctor"},
		}, commandsByRight...) {
			if strings.Contains(command.words, "--reveal") { // which is asked to say it, on standard output; see there
				continue
			}
			args := strings.Fields(strings.NewReplacer("VALUE", file(GinkgoT().TempDir(), "value", canary+"-q")).Replace(words.Replace(command.words)))
			got := runAt(ctx, home, command.stdin, append([]string{"-n", ns, "-v=9"}, args...)...)
			for _, form := range framework.CanaryForms(canary) {
				Expect(got.stdout+got.stderr).NotTo(ContainSubstring(string(form)), command.words)
			}
			if got.code != 2 && !strings.HasPrefix(command.words, "validate -f") && !strings.HasPrefix(command.words, "seal x --kind") {
				Expect(got.stderr).NotTo(BeEmpty(), "%s is verbose", command.words)
			}
		}
		left, err := filepath.Glob(filepath.Join(home, "*"))
		Expect(err).NotTo(HaveOccurred())
		hidden, err := filepath.Glob(filepath.Join(home, ".*", "*"))
		Expect(err).NotTo(HaveOccurred())
		Expect(append(left, hidden...)).To(BeEmpty(), "neither home nor the folder for temporary files has a file")
	})

	DescribeTable("is asked for without an echo, and not where standard error is no terminal",
		func(ctx SpecContext, typed, sees string, args ...string) {
			ns := newTenant(ctx)
			t := onTerminal(ctx, ns, args...)
			Eventually(t.screen).Should(HaveSuffix("(it is not shown): "))
			t.enter(typed + "\n")
			Expect(t.end()).To(Equal(0), t.screen())
			Expect(t.screen()).To(MatchRegexp(`^Value of \S+ \(it is not shown\): \r\n` + sees + `\r\n$`))
			Expect(t.screen()).NotTo(ContainSubstring(canary))

			us, them, err := pty.Open()
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(us.Close)
			said, err := os.Create(filepath.Join(GinkgoT().TempDir(), "said"))
			Expect(err).NotTo(HaveOccurred())
			command := exec.CommandContext(ctx, plugin, append([]string{"-n", newTenant(ctx)}, args...)...)
			command.Env = []string{"HOME=" + cluster.Dir, "KUBECONFIG=" + filepath.Join(cluster.Dir, "admin.kubeconfig"), framework.EndAtOnce}
			command.Stdin, command.Stdout, command.Stderr = them, them, said
			Expect(command.Run()).To(MatchError("exit status 2"))
			Expect(them.Close()).To(Succeed())
			Expect(content(said.Name())).To(And(HavePrefix("error: "), ContainSubstring("--value-file")))
		},
		Entry("set", canary, `usersecret\.latchkey\.dev/t created`, "set", "t"),
		Entry("agent set", canary, "t created, revision 0", "agent", "set", "t", "--type", "string"),
		Entry("seal", canary, `lk1\.\S+`, "seal", "t"),
	)
})
