// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// ends, prints and notices look at the code, at standard output and at standard error.
func ends(code int) types.GomegaMatcher {
	return WithTransform(func(r result) int { return r.code }, Equal(code))
}

func prints(what any) types.GomegaMatcher {
	return WithTransform(func(r result) string { return r.stdout }, matching(what))
}

func notices(what any) types.GomegaMatcher {
	return WithTransform(func(r result) string { return r.stderr }, matching(what))
}

func matching(what any) types.GomegaMatcher {
	if m, is := what.(types.GomegaMatcher); is {
		return m
	}
	return Equal(what)
}

// manager returns a user who may write the secrets of a tenant and not read their values.
func manager(ctx context.Context, tenant string) string {
	GinkgoHelper()
	name := tenant + "-manager"
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"latchkey.dev"}, Resources: []string{"agentsecrets", "usersecrets"}, Verbs: []string{"*"}},
	}}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: role.ObjectMeta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}},
	}
	for _, o := range []client.Object{role, binding} {
		Expect(client.IgnoreAlreadyExists(api.Create(ctx, o))).To(Succeed())
	}
	return name
}

var _ = Describe("agent", func() {
	It("sets, shows, unsets and deletes typed values, by revision", func(ctx SpecContext) {
		ns := newTenant(ctx)
		Expect(run(ctx, ns, `{"host": "`+canary+`", "port": 5432}`, "agent", "set", "DB/main_address", "--type", "record{host: string, port: u16}")).
			To(Equal(result{stdout: "db/mainAddress created, revision 0\n"}))
		Expect(run(ctx, ns, canary, "agent", "set", "db/password", "--type", "string")).To(Equal(result{stdout: "db/password created, revision 0\n"}))
		Expect(run(ctx, ns, canary+"-2", "agent", "set", "db/password", "--if-revision", "0")).To(Equal(result{stdout: "db/password set, revision 1\n"}))
		Expect(run(ctx, ns, canary+"-3", "agent", "set", "db/password", "--if-revision", "0")).
			To(Equal(result{code: 3, stderr: "error: --if-revision: the revision is 1, not 0, so somebody wrote since. Try: kubectl latchkey agent get db/password -n " + ns + "\n"}))
		Expect(run(ctx, ns, `{"host": "`+canary+`"}`, "agent", "set", "db/mainAddress")).To(ends(3))
		Expect(run(ctx, ns, canary, "agent", "set", "db/password", "--type", "u8")).
			To(Equal(result{code: 3, stderr: "error: --type: it is string and cannot change. To have another one, delete it first: kubectl latchkey agent delete db/password -n " + ns + "\n"}))
		Expect(run(ctx, ns, canary, "agent", "set", "db/other")).
			To(Equal(result{code: 3, stderr: "error: there is no agent secret db/other in namespace " + ns + " yet: give its type. Try: kubectl latchkey agent set db/other --type string -n " + ns + "\n"}))

		Eventually(ctx, func() string { return succeed(ctx, ns, "", "agent", "list") }).Should(Equal(strings.Join([]string{
			"PATH             TYPE                              REVISION   READY",
			"db/mainAddress   record{host: string, port: u16}   0          True Projected",
			"db/password      string                            1          True Projected",
			"",
		}, "\n")))
		Expect(succeed(ctx, ns, "", "agent", "get", "db/password")).To(ContainSubstring("Type:      string\nRevision:  1\nValue:     set\n"))
		Expect(run(ctx, ns, canary+"-4", "agent", "set", "db/password", "--as", manager(ctx, ns))).
			To(Equal(result{stdout: "db/password set, revision 2\n"}), "who may not see may set")
		Expect(run(ctx, ns, "", "agent", "unset", "db/password", "--if-revision", "2")).To(Equal(result{stdout: "db/password unset, revision 3\n"}))
		Expect(run(ctx, ns, "", "agent", "delete", "db/password")).To(ends(2), "nobody can be asked")
		Expect(run(ctx, ns, "", "agent", "delete", "db/password", "--yes", "--if-revision", "2")).To(ends(3))
		Expect(run(ctx, ns, "", "agent", "delete", "db/password", "--yes")).To(Equal(result{stdout: "db/password deleted\n"}))
		Expect(run(ctx, ns, "", "agent", "get", "db/password")).To(ends(3))
	})

	It("prints what it wrote as other commands do", func(ctx SpecContext) {
		ns := newTenant(ctx)
		type object struct {
			Kind     string
			Metadata struct{ Name string }
			Spec     struct {
				Revision    int
				SealedValue string
			}
		}
		as := func(format string, args ...string) string {
			return succeed(ctx, ns, canary, append(append([]string{"agent"}, args...), "-o", format)...)
		}
		read := func(text string) (o object) {
			GinkgoHelper()
			Expect(yaml.Unmarshal([]byte(text), &o)).To(Succeed(), text)
			Expect(o.Kind).To(Equal("AgentSecret"))
			Expect(o.Metadata.Name).To(Equal("a"))
			return o
		}
		for _, dryRun := range []string{"client", "server", "none"} {
			o := read(as("json", "set", "a", "--type", "string", "--name", "a", "--dry-run="+dryRun))
			Expect(o.Spec.SealedValue).To(HavePrefix("lk1."), dryRun)
		}
		for _, dryRun := range []string{"client", "server"} {
			Expect(as("name", "set", "a", "--dry-run="+dryRun)).To(Equal("agentsecret.latchkey.dev/a\n"))
			Expect(read(as("yaml", "unset", "a", "--dry-run="+dryRun)).Spec.SealedValue).To(BeEmpty())
			Expect(as("name", "delete", "a", "--dry-run="+dryRun)).To(Equal("agentsecret.latchkey.dev/a\n"))
		}
		Expect(read(succeed(ctx, ns, canary+"-2", "agent", "set", "a", "--if-revision=0", "-o", "yaml")).Spec.Revision).To(Equal(1))
		Expect(read(as("json", "unset", "a")).Spec.SealedValue).To(BeEmpty())
		Expect(read(as("json", "delete", "a", "--yes")).Spec.Revision).To(Equal(2))
	})

	It("reveals a value to who may get it, of environments alone", func(ctx SpecContext) {
		ns := newTenant(ctx)
		const shown = "a value that is to be shown"
		succeed(ctx, ns, shown, "agent", "set", "a", "--type", "string")
		succeed(ctx, ns, `[["`+shown+`"]]`, "agent", "set", "b", "--type", "list<list<string>>")
		succeed(ctx, ns, "null", "agent", "set", "c", "--type", "option<u8>")
		Expect(run(ctx, ns, "", "agent", "get", "a", "--reveal")).To(Equal(result{code: 3, stderr: "error: the agent-secrets API shows the values of environments, and namespace " +
			ns + " is none: it has no label latchkey.dev/environment. Try: kubectl label namespace " + ns + " latchkey.dev/environment=" + ns + "\n"}))
		namespace := framework.Namespace(ns)
		Expect(api.Patch(ctx, namespace, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+v1alpha1.LabelEnvironment+`":"`+ns+`"}}}`)))).To(Succeed())
		Eventually(ctx, func() result { return run(ctx, ns, "", "agent", "get", "a", "--reveal") }).Should(Equal(result{stdout: shown}))
		Expect(run(ctx, ns, "", "-v=9", "agent", "get", "a", "--reveal")).To(And(ends(0), prints(Equal(shown)), notices(Not(ContainSubstring(shown)))))
		Expect(succeed(ctx, ns, "", "agent", "get", "b", "--reveal")).To(Equal(`[["` + shown + `"]]`))
		Expect(succeed(ctx, ns, "", "agent", "get", "c", "--reveal")).To(Equal("null"))
		succeed(ctx, ns, "7", "agent", "set", "d", "--type", "option<u8>")
		manager := manager(ctx, ns)
		for _, path := range []string{"a", "c", "d"} { // an option that is hidden is not one without a value
			Expect(run(ctx, ns, "", "agent", "get", path, "--reveal", "--as", manager)).To(And(ends(3), prints(""), notices(HavePrefix(
				"error: "+ns+"-manager may not get agentsecrets.latchkey.dev/value in namespace "+ns+"\nAn administrator of namespace "+ns+" grants it:\n"+
					"  kubectl -n "+ns+" create rolebinding latchkey-edit-"+ns+"-manager --clusterrole=latchkey-edit --user="+ns+"-manager\n"))))
		}
	})
})
