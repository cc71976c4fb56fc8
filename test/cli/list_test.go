// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// ages are what differs from run to run.
var ages = regexp.MustCompile(` \d+m?s\b`)

var _ = Describe("list", func() {
	It("shows both kinds, with their state, in two requests", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, canary, "set", "github-token", "--env", "GITHUB_TOKEN", "--file", "~/.token", "--wait")
		succeed(ctx, ns, canary, "set", "other", "--wait")
		Expect(api.Create(ctx, framework.AgentSecret(ns, "db", `{"type":"Str"}`, `"an-agent-value-1"`, "db", "password"))).To(Succeed())
		Eventually(func() string { return succeed(ctx, ns, "", "list") }).Should(ContainSubstring("db             AgentSecret   Projected"))
		mark, err := cluster.Audit.Now()
		Expect(err).NotTo(HaveOccurred())
		Expect(ages.ReplaceAllString(succeed(ctx, ns, "", "list", "-o", "wide"), " AGE")).To(Equal(
			"NAME           KIND          STATE                 VARIABLE       FILE       AGE   KNOWN AS       MESSAGE\n" +
				"db             AgentSecret   Projected             DB_PASSWORD               AGE    db/password    projected as variable DB_PASSWORD of Secret latchkey-agent-env and file db.password of Secret latchkey-agent-files\n" +
				"github-token   UserSecret    Projected             GITHUB_TOKEN   ~/.token   AGE    github-token   projected as variable GITHUB_TOKEN of Secret latchkey-user-env and file github-token of Secret latchkey-user-files\n" +
				"other          UserSecret    StoredWithoutTarget                             AGE    other          stored, and not projected since it names neither a variable nor a file\n"))
		Expect(cluster.Audit.Flush(ctx, api)).To(Succeed())
		asked, err := cluster.Audit.Since(mark, func(r framework.Request) bool {
			return r.Namespace == ns && r.Verb == "list" && !framework.ByLatchkey(r)
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(asked).To(HaveLen(2))
		Expect(succeed(ctx, ns, "", "list", "-o", "name")).To(Equal("agentsecret.latchkey.dev/db\nusersecret.latchkey.dev/github-token\nusersecret.latchkey.dev/other\n"))
		Expect(succeed(ctx, ns, "", "list", "-o", "json", "--kind", "user")).To(ContainSubstring(`"sealedValue": "lk1.`))
	})

	It("shows all namespaces, with theirs, in two requests", func(ctx SpecContext) {
		one, other := newTenant(ctx), newTenant(ctx)
		succeed(ctx, one, canary, "set", "t", "--env", "T", "--wait")
		succeed(ctx, other, canary, "set", "t", "--env", "T", "--wait")
		mark, err := cluster.Audit.Now()
		Expect(err).NotTo(HaveOccurred())
		text := ages.ReplaceAllString(succeed(ctx, one, "", "list", "-A"), " AGE")
		Expect(text).To(HavePrefix("NAMESPACE "))
		for _, ns := range []string{one, other} {
			Expect(text).To(MatchRegexp(ns + ` +t +UserSecret +Projected +T +AGE\n`))
		}
		Expect(cluster.Audit.Flush(ctx, api)).To(Succeed())
		asked, err := cluster.Audit.Since(mark, func(r framework.Request) bool {
			return r.Namespace == "" && r.Verb == "list" && strings.HasSuffix(r.Resource, "secrets") && !framework.ByLatchkey(r) &&
				!strings.Contains(r.URI, "&continue=") // other specs may fill more than a page
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(asked).To(HaveLen(2))
		got := run(ctx, one, "", "list", "-A", "--as", "nobody")
		Expect(got).To(And(ends(3), notices(ContainSubstring(" in the whole cluster\nAn administrator of the cluster grants it:\n"+
			"  kubectl create clusterrolebinding latchkey-view-nobody --clusterrole=latchkey-view --user=nobody\n"))))
	})

	It("says where there is none", func(ctx SpecContext) {
		ns := newTenant(ctx)
		Expect(run(ctx, ns, "", "list")).To(Equal(result{stderr: "There are no secrets in namespace " + ns + ". Try: kubectl latchkey set NAME --env VARIABLE -n " + ns + "\n"}))
	})
})

var _ = Describe("enable, disable and delete", func() {
	It("takes a secret out of the bundle, puts it back, and deletes it", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, canary, "set", "t", "--env", "T", "--wait")
		Expect(succeed(ctx, ns, "", "disable", "t")).To(Equal("usersecret.latchkey.dev/t disabled\n"))
		Eventually(projected(ctx, ns, "T")).Should(BeEmpty())
		Expect(succeed(ctx, ns, "", "enable", "t")).To(Equal("usersecret.latchkey.dev/t enabled\n"))
		Eventually(projected(ctx, ns, "T")).Should(Equal(canary))
		Expect(succeed(ctx, ns, "", "delete", "t", "--dry-run=server")).To(Equal("usersecret.latchkey.dev/t deleted (server dry run)\n"))
		Expect(succeed(ctx, ns, "", "delete", "t", "--yes")).To(Equal("usersecret.latchkey.dev/t deleted\n"))
		Expect(client.IgnoreNotFound(api.Get(ctx, client.ObjectKey{Namespace: ns, Name: "t"}, &v1alpha1.UserSecret{}))).To(Succeed())
		Eventually(projected(ctx, ns, "T")).Should(BeEmpty())
	})

	It("says how far it came where one of several is refused, and how it goes on", func(ctx SpecContext) {
		ns := newTenant(ctx)
		for _, name := range []string{"a", "b", "c"} {
			succeed(ctx, ns, canary, "set", name)
		}
		kubectl(ctx, "-n", ns, "create", "role", "a-alone", "--verb=patch,delete", "--resource=usersecrets.latchkey.dev", "--resource-name=a")
		kubectl(ctx, "-n", ns, "create", "rolebinding", "a-alone", "--role=a-alone", "--user="+ns)
		grant(ctx, ns, ns, "latchkey-view")
		Eventually(ctx, func() int { return run(ctx, ns, "", "list", "--as", ns).code }).Should(Equal(0))
		for _, command := range [][]string{{"disable"}, {"enable"}, {"delete", "--yes"}} {
			got := run(ctx, ns, "", append(command, "a", "b", "c", "--as", ns)...)
			Expect(got).To(And(ends(4), prints("usersecret.latchkey.dev/a "+command[0]+"d\n"), notices(ContainSubstring(
				"done: a\nfailed: b\nnot tried: c\nTo go on: kubectl latchkey "+command[0]+" b c -n "+ns+"\nerror: "+ns+" may not "))))
		}
		Expect(run(ctx, ns, "", "disable", "b", "c", "--as", ns)).To(And(ends(3), prints("")), "nothing is done")
	})

	It("changes nothing where one of the names is wrong, or nobody can be asked", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, canary, "set", "t")
		Expect(run(ctx, ns, "", "delete", "t", "missing", "--yes")).To(Equal(result{code: 3, stderr: "error: there is no such secret as \"missing\" in namespace " + ns +
			". Try: kubectl latchkey list -n " + ns + "\n"}))
		Expect(run(ctx, ns, "", "delete", "t")).To(Equal(result{code: 2, stderr: "error: standard input and error are no terminal, so nobody can be asked: add --yes. See kubectl latchkey delete --help\n"}))
		Expect(api.Get(ctx, client.ObjectKey{Namespace: ns, Name: "t"}, &v1alpha1.UserSecret{})).To(Succeed())
	})
})
