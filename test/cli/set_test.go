// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// projected returns a variable as pods find it.
func projected(ctx SpecContext, namespace, variable string) func() string {
	return func() string {
		bundle := &corev1.Secret{}
		if client.IgnoreNotFound(api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.BundleUserEnv}, bundle)) != nil {
			return "error"
		}
		return string(bundle.Data[variable])
	}
}

var _ = Describe("set", func() {
	It("creates a secret from standard input, less one newline, which it says, and pods find it", func(ctx SpecContext) {
		ns := newTenant(ctx)
		got := run(ctx, ns, canary+"-1\n", "set", "github-token", "--env", "GITHUB_TOKEN", "--file", "~/.token", "--description", "a token", "--wait")
		Expect(got).To(Equal(result{
			stdout: "usersecret.latchkey.dev/github-token created\n",
			stderr: "One newline at the end of the value was dropped; --exact keeps it.\n",
		}))
		Expect(projected(ctx, ns, "GITHUB_TOKEN")()).To(Equal(canary + "-1"))

		stored := &v1alpha1.UserSecret{}
		Expect(api.Get(ctx, client.ObjectKey{Namespace: ns, Name: "github-token"}, stored)).To(Succeed())
		Expect(stored.ManagedFields[0].Manager).To(Equal("kubectl-latchkey"))
		Expect(stored.Spec.Description).To(Equal("a token"))
	})

	It("keeps a newline with --exact, and those of several lines always", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, canary+"\n", "set", "a", "--env", "A", "--exact", "--wait")
		Expect(projected(ctx, ns, "A")()).To(Equal(canary + "\n"))
		got := run(ctx, ns, canary+"\nline\n", "set", "b", "--env", "B", "--wait")
		Expect(got).To(Equal(result{stdout: "usersecret.latchkey.dev/b created\n"}))
		Expect(projected(ctx, ns, "B")()).To(Equal(canary + "\nline\n"))
	})

	It("changes only what flags say where there is no value, and the value alone where there are no flags", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, canary+"-1", "set", "t", "--env", "T", "--wait")
		Expect(succeed(ctx, ns, "", "set", "t", "--description", "new")).To(Equal("usersecret.latchkey.dev/t configured\n"))
		succeed(ctx, ns, canary+"-2", "set", "t", "--wait")
		Expect(projected(ctx, ns, "T")()).To(Equal(canary + "-2"))
		stored := &v1alpha1.UserSecret{}
		Expect(api.Get(ctx, client.ObjectKey{Namespace: ns, Name: "t"}, stored)).To(Succeed())
		Expect(stored.Spec.Description).To(Equal("new"))
		Expect(stored.Spec.EnvName).To(Equal("T"))
	})

	It("changes nothing when the same value is set again", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, canary, "set", "t", "--env", "T", "--wait")
		Expect(succeed(ctx, ns, canary, "set", "t", "--env", "T")).To(Equal("usersecret.latchkey.dev/t unchanged\n"))
	})

	It("finds a secret by its documented name, and names the object of a new one as REST does", func(ctx SpecContext) {
		ns := newTenant(ctx)
		created := succeed(ctx, ns, canary, "set", "My Token")
		Expect(created).To(HavePrefix("usersecret.latchkey.dev/my-token-"))
		Expect(succeed(ctx, ns, "", "set", "My Token", "--description", "x")).To(Equal(strings.Replace(created, "created", "configured", 1)))
	})

	It("refuses a name that may mean two, and lists both", func(ctx SpecContext) {
		ns := newTenant(ctx)
		for name, known := range map[string]string{"a": "b", "b": "c"} {
			Expect(api.Create(ctx, framework.UserSecret(ns, name, v1alpha1.UserSecretSpec{Name: known, Value: v1alpha1.WriteOnlyString("another-value-1")}))).To(Succeed())
		}
		got := run(ctx, ns, canary, "set", "b")
		Expect(got).To(Equal(result{code: 2, stderr: "error: \"b\" may mean several secrets: say which by its metadata.name, or by --kind\n" +
			"  UserSecret a, known as b\n  UserSecret b, known as c\nSee kubectl latchkey set --help\n"}))
	})

	It("takes a value from a file, from a Secret, or from chance", func(ctx SpecContext) {
		ns := newTenant(ctx)
		Expect(api.Create(ctx, framework.Secret(ns, "src", map[string]string{"k": canary + "-src"}))).To(Succeed())
		succeed(ctx, ns, "", "set", "t", "--env", "T", "--from", "src/k", "--wait")
		Expect(projected(ctx, ns, "T")()).To(Equal(canary + "-src"))
		succeed(ctx, ns, "", "set", "t", "--generate", "--wait")
		Expect(projected(ctx, ns, "T")()).To(MatchRegexp("^[A-Z2-7]{32}$"))
		succeed(ctx, ns, canary+"-in", "set", "t", "--value-file", "-", "--wait")
		Expect(projected(ctx, ns, "T")()).To(Equal(canary + "-in"))
	})

	It("leaves what exists with --if-absent, and stores nothing with --dry-run", func(ctx SpecContext) {
		ns := newTenant(ctx)
		for _, mode := range []string{"client", "server"} {
			Expect(succeed(ctx, ns, canary, "set", "t", "--dry-run="+mode)).To(Equal("usersecret.latchkey.dev/t created (" + mode + " dry run)\n"))
			Expect(api.Get(ctx, client.ObjectKey{Namespace: ns, Name: "t"}, &v1alpha1.UserSecret{})).To(MatchError(ContainSubstring("not found")))
		}
		succeed(ctx, ns, canary+"-1", "set", "t", "--env", "T", "--wait")
		Expect(succeed(ctx, ns, canary+"-2", "set", "t", "--if-absent")).To(Equal("usersecret.latchkey.dev/t unchanged\n"))
		Expect(projected(ctx, ns, "T")()).To(Equal(canary + "-1"))
	})

	DescribeTable("refuses, and says what and why",
		func(ctx SpecContext, stdin string, args []string, code int, words string) {
			got := run(ctx, newTenant(ctx), stdin, append([]string{"set"}, args...)...)
			Expect(got.code).To(Equal(code))
			Expect(got.stderr).To(Equal("error: " + words + "\n"))
			Expect(got.stdout).To(BeEmpty())
		},
		Entry("a value on the command line", "", []string{"T=abc"}, 2, "a name has no =: a value is not given on the command line, where others can read it; pipe it to standard input, or use --value-file. See kubectl latchkey set --help"),
		Entry("a new secret without a value", "", []string{"t"}, 2, "a new secret needs a value: pipe it to standard input, or use --value-file, --from or --generate. See kubectl latchkey set --help"),
		Entry("two sources", "", []string{"t", "--from", "a/b", "--generate"}, 2, "choose one of --value-file, --keep-value, --from and --generate. See kubectl latchkey set --help"),
		Entry("a reserved variable", canary, []string{"t", "--env", "PATH"}, 3, "--env: PATH is a reserved environment variable name. Try: kubectl explain usersecrets.spec.envName"),
		Entry("a relative file", canary, []string{"t", "--file", "x"}, 3, "--file: file path must start with ~/ or /. Try: kubectl explain usersecrets.spec.filePath"),
		Entry("a NUL byte", canary+"\x00", []string{"t"}, 3, "value: secret value must not contain null bytes. Try: kubectl explain usersecrets.spec.value"),
		Entry("a value that is too long", canary+strings.Repeat("x", 24577), []string{"t"}, 3, "value: secret value must not exceed 24576 bytes. Try: kubectl explain usersecrets.spec.value"),
	)

	It("names the right that is missing, and who grants it", func(ctx SpecContext) {
		ns := newTenant(ctx)
		got := run(ctx, ns, canary, "--as", "nobody", "set", "t")
		Expect(got.code).To(Equal(3))
		Expect(got.stderr).To(Equal("error: nobody may not list usersecrets.latchkey.dev in namespace " + ns + "\n" +
			"An administrator of namespace " + ns + " grants it:\n" +
			"  kubectl -n " + ns + " create rolebinding latchkey-view-nobody --clusterrole=latchkey-view --user=nobody\n" +
			"The label latchkey.dev/user gives the user of a namespace no right in the Kubernetes API, which this command uses. The REST API needs\n" +
			"none: see docs/rest-user-secrets.md, also for the coder command line. The roles of an owner: docs/rbac.md#the-owner-of-a-namespace\n"))
	})

	It("says no value at any verbosity", func(ctx SpecContext) {
		ns := newTenant(ctx)
		got := run(ctx, ns, canary+"-long-enough", "-v=9", "set", "t", "--env", "T")
		Expect(got.code).To(Equal(0), got.stderr)
		Expect(got.stderr).To(ContainSubstring("sealedValue"), "bodies are logged at this verbosity")
	})
})
