// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/naming"
	"github.com/latchkey-dev/latchkey/test/framework"
)

var _ = Describe("import", func() {
	It("shows what it will do, writes it, and changes nothing when it is run again", func(ctx SpecContext) {
		ns := newTenant(ctx)
		file := filepath.Join(cluster.Dir, ns+".env")
		Expect(os.WriteFile(file, []byte("TOKEN="+canary+"-1\napp.id="+canary+"-2\n"), 0o600)).To(Succeed())
		got := run(ctx, ns, "", "import", file)
		Expect(got.code).To(Equal(2), "nobody can be asked")
		Expect(got.stdout).To(Equal("KEY      ENV     ACTION   WHY\nTOKEN    TOKEN   create   \n" +
			"app.id           create   no variable: must start with a letter or underscore, followed by letters, digits, or underscores\n"))
		got = run(ctx, ns, "", "import", file, "--yes")
		Expect(got).To(Equal(result{stdout: got.stdout, stderr: "2 secrets written.\n"}))
		Eventually(projected(ctx, ns, "TOKEN")).Should(Equal(canary + "-1"))
		Expect(run(ctx, ns, "", "import", file, "--yes")).To(Equal(result{
			stdout: "KEY      ENV     ACTION   WHY\nTOKEN    TOKEN   keep     exists; --overwrite replaces it\napp.id           keep     exists; --overwrite replaces it\n",
			stderr: "Nothing was written.\n",
		}))
	})

	It("prints the secrets as other commands do, and sends nothing in a dry run of the client", func(ctx SpecContext) {
		ns := newTenant(ctx)
		env := "A=" + canary + "\nB=" + canary + "\n"
		args := []string{"import", "-", "--format", "env", "--yes", "-o"}
		mark, err := cluster.Audit.Now()
		Expect(err).NotTo(HaveOccurred())
		names := "usersecret.latchkey.dev/" + naming.Object("A") + "\nusersecret.latchkey.dev/" + naming.Object("B") + "\n"
		Expect(run(ctx, ns, env, append(args, "name", "--dry-run=client")...)).To(And(ends(0), prints(names), notices(HavePrefix("KEY   ENV   ACTION   WHY\n"))))
		Expect(cluster.Audit.Flush(ctx, api)).To(Succeed())
		writes, err := cluster.Audit.Since(mark, func(r framework.Request) bool { return r.Namespace == ns && r.Verb != "list" })
		Expect(err).NotTo(HaveOccurred())
		Expect(writes).To(BeEmpty())
		for _, dryRun := range []string{"server", "none"} {
			Expect(succeed(ctx, ns, env, append(args, "json", "--dry-run="+dryRun)...)).To(And(ContainSubstring(`"kind": "List"`), ContainSubstring(`"uid": `)), dryRun)
		}
		Expect(succeed(ctx, ns, env, append(args, "name")...)).To(Equal(names), "they are kept")
	})

	It("overwrites when asked, from standard input", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, `{"T":"`+canary+`-1"}`, "import", "-", "--format", "json", "--yes")
		succeed(ctx, ns, `{"T":"`+canary+`-2"}`, "import", "-", "--format", "json", "--yes", "--overwrite")
		Eventually(projected(ctx, ns, "T")).Should(Equal(canary + "-2"))
	})

	It("writes nothing where one key is refused, by the client or by the server", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, canary, "set", "holder", "--env", "TAKEN")
		got := run(ctx, ns, "GOOD="+canary+"\nTAKEN="+canary+"\nEMPTY=\n", "import", "-", "--format", "env", "--yes")
		Expect(got.code).To(Equal(3))
		Expect(got.stdout).To(ContainSubstring(`refused   spec.envName: environment variable already in use: "TAKEN" is claimed by holder`))
		Expect(got.stdout).To(ContainSubstring("refused   Value is required."))
		Expect(got.stderr).To(Equal("error: 2 keys refused, so nothing was written: mend the file, or what is in its way. Try: kubectl latchkey list -n " + ns + "\n"))
		stored := &v1alpha1.UserSecretList{}
		Expect(api.List(ctx, stored, client.InNamespace(ns))).To(Succeed())
		Expect(stored.Items).To(HaveLen(1))
	})

	It("stops where a write fails, says how far it came, and goes on when it is run again", func(ctx SpecContext) {
		ns := newTenant(ctx)
		// A quota counts no dry run, so the third write is refused and not its preview.
		quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "two"}, Spec: corev1.ResourceQuotaSpec{
			Hard: corev1.ResourceList{"count/usersecrets.latchkey.dev": resource.MustParse("2")},
		}}
		Expect(api.Create(ctx, quota)).To(Succeed())
		quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: corev1.ResourceList{"count/usersecrets.latchkey.dev": resource.MustParse("0")}}
		Expect(api.Status().Update(ctx, quota)).To(Succeed())
		const env = "A=" + canary + "\nB=" + canary + "\nC=" + canary + "\nD=" + canary + "\n"
		got := run(ctx, ns, env, "import", "-", "--format", "env", "--yes")
		Expect(got).To(And(ends(4), prints(ContainSubstring("D     D     create")), notices(And(
			HavePrefix("done: A, B\nfailed: C\nnot tried: D\nRun it again to go on: what is done stays as it is.\nerror: "), ContainSubstring("exceeded quota: two")))))
		Expect(run(ctx, ns, env, "import", "-", "--format", "env", "--yes").code).To(Equal(3), "nothing was done, and it is refused")
		Expect(api.Delete(ctx, quota)).To(Succeed())
		Eventually(ctx, func() result { return run(ctx, ns, env, "import", "-", "--format", "env", "--yes") }).Should(And(ends(0), notices("2 secrets written.\n")))
		Eventually(projected(ctx, ns, "D")).Should(Equal(canary))
	})

	It("refuses what exceeds the limit in sum, and a file that is malformed, without its values", func(ctx SpecContext) {
		ns := newTenant(ctx)
		var file strings.Builder
		for i := range 51 {
			_, _ = file.WriteString("K" + strings.Repeat("x", i) + "=" + canary + "\n")
		}
		got := run(ctx, ns, file.String(), "import", "-", "--format", "env", "--yes")
		Expect(got.code).To(Equal(3))
		Expect(got.stderr).To(HavePrefix("error: 1 key refused, so nothing was written: "))
		Expect(run(ctx, ns, canary, "import", "-", "--format", "env")).To(Equal(result{
			code: 3, stderr: "error: malformed secrets file: line 1: expected KEY=VALUE but found no '='. See kubectl latchkey import --help\n",
		}))
	})
})
