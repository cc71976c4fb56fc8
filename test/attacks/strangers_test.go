// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// faces returns both ways to the REST APIs of the stack: the direct one, and the
// aggregated one.
func faces(ctx context.Context) []conformance.Face {
	GinkgoHelper()
	url, err := stack.Server.RESTURL()
	Expect(err).NotTo(HaveOccurred())
	ca, err := stack.RESTAuthority(ctx)
	Expect(err).NotTo(HaveOccurred())
	direct, err := conformance.Direct(url, ca)
	Expect(err).NotTo(HaveOccurred())
	aggregated, err := conformance.Aggregated(stack.Config.Host, stack.Config.CAData)
	Expect(err).NotTo(HaveOccurred())
	return []conformance.Face{direct, aggregated}
}

// startServer starts the server that a spec stopped, and returns when it does all that the
// next spec may ask of it: the API server finds out by itself, for each API, when it can
// pass requests on again.
func startServer(ctx SpecContext) {
	GinkgoHelper()
	Expect(stack.Server.Start(ctx)).To(Succeed())
	Expect(stack.AwaitAdmission(ctx)).To(Succeed())
	nobody, err := conformance.Tenants{Admin: api}.New(ctx, "started-"+string(uuid.NewUUID())[:8], nil, nil)
	Expect(err).NotTo(HaveOccurred())
	for _, f := range faces(ctx) {
		for _, url := range []string{f.Coder + "/users/nobody/secrets", f.Golem + "/envs/" + nobody.ID + "/agent-secrets"} {
			Eventually(ctx, func() int { return call(ctx, f, nobody, "GET", url, "").Status }).Should(Equal(http.StatusNotFound), url)
		}
	}
}

// call sends one request with an account's token.
func call(ctx SpecContext, f conformance.Face, a conformance.Account, method, url, body string) conformance.Answer {
	GinkgoHelper()
	got, err := f.Do(ctx, method, url, http.Header{
		"Authorization": {"Bearer " + a.Token}, "Content-Type": {"application/json"},
	}, body)
	Expect(err).NotTo(HaveOccurred())
	return got
}

// whole is an answer with its headers, but for those that name the exchange itself.
func whole(a conformance.Answer) string {
	header := a.Header.Clone()
	for _, name := range []string{"Audit-Id", "Date"} {
		header.Del(name)
	}
	return fmt.Sprint(a.Status, " ", header, " ", string(a.Body))
}

var _ = Describe("A stranger", Ordered, func() {
	var (
		stranger, victim conformance.Account
		secretID         string
		both             []conformance.Face
	)

	BeforeAll(func(ctx SpecContext) {
		both = faces(ctx)
		tenants := conformance.Tenants{Admin: api}
		var err error
		victim, err = tenants.New(ctx, "strange-victim",
			map[string]string{v1alpha1.LabelUser: "strange-victim", v1alpha1.LabelEnvironment: "strange-victim"},
			map[string]string{v1alpha1.AnnotationSubjects: "system:serviceaccount:strange-victim:caller"})
		Expect(err).NotTo(HaveOccurred())
		stranger, err = tenants.New(ctx, "strange-stranger", nil, nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(api.Create(ctx, framework.UserSecret(victim.Namespace, "known", v1alpha1.UserSecretSpec{
			Value: v1alpha1.NewWriteOnly([]byte(`"v"`)),
		}))).To(Succeed())
		agent := framework.AgentSecret(victim.Namespace, "known", `{"type":"Str"}`, `"v"`, "known")
		Expect(api.Create(ctx, agent)).To(Succeed())
		secretID = string(agent.UID)
		Eventually(ctx, func() int {
			return call(ctx, both[1], victim, "GET", both[1].Coder+"/users/me/secrets/known", "").Status
		}).Should(Equal(http.StatusOK), "the aggregated face answers")
	})

	// asked returns what the server asked of the API server since a mark, without names.
	asked := func(mark framework.Mark) []string {
		requests, err := stack.Audit.Since(mark, framework.ByServer, func(r framework.Request) bool { return r.Resource != "leases" && r.Verb != "watch" })
		Expect(err).NotTo(HaveOccurred())
		var out []string
		for _, r := range requests {
			out = append(out, r.Verb+" "+r.Resource)
		}
		return out
	}

	// probe returns the whole answer to a request, and how many requests it cost. All that
	// a request causes ends before its answer, but is written to the log a moment later.
	probe := func(ctx SpecContext, f conformance.Face, method, url, body string) (string, []string) {
		GinkgoHelper()
		mark, err := stack.Audit.Now()
		Expect(err).NotTo(HaveOccurred())
		got := call(ctx, f, stranger, method, url, body)
		Expect(stack.Audit.Flush(ctx, api)).To(Succeed())
		return whole(got), asked(mark)
	}

	// The caches that have nothing to do with whom the stranger asks about are full.
	BeforeEach(func(ctx SpecContext) {
		for _, f := range both {
			call(ctx, f, stranger, "GET", f.Coder+"/users/me/secrets", "")
		}
	})

	It("cannot tell a user or an environment that exists from one that does not, on either face, by any verb", func(ctx SpecContext) {
		for _, f := range both {
			for _, op := range []struct{ method, path, body string }{
				{"GET", "", ""},
				{"POST", "", `{"name":"n","value":"v"}`},
				{"POST", "", `{"name":`},
				{"POST", "/batch", `{"format":"env","content":"A=1"}`},
				{"GET", "/known", ""},
				{"PATCH", "/known", `{"description":"d"}`},
				{"DELETE", "/known", ""},
				{"GET", "/unknown", ""},
				{"DELETE", "/..%2f", ""},
			} {
				var answers []string
				var work [][]string
				for _, user := range []string{
					victim.Name, victim.ID, "strange-nobody", string(uuid.NewUUID()), "%00%ff", strings.Repeat("x", 300),
				} {
					answer, cost := probe(ctx, f, op.method, f.Coder+"/users/"+user+"/secrets"+op.path, op.body)
					answers, work = append(answers, answer), append(work, cost)
				}
				what := fmt.Sprintf("%s: %s %s", f.Name, op.method, op.path)
				Expect(answers[0]).To(HavePrefix("404 "), what)
				Expect(answers).To(HaveEach(answers[0]), what)
				Expect(work).To(HaveEach(HaveLen(len(work[0]))), what)
			}
			unknown := string(uuid.NewUUID())
			for _, op := range []struct{ method, path, body string }{
				{"GET", "/envs/ID/agent-secrets", ""},
				{"POST", "/envs/ID/agent-secrets", `{"path":["known"],"secretType":{"type":"Str"}}`},
				{"POST", "/envs/ID/agent-secrets", `{"path":`},
				{"GET", "/agent-secrets/ID", ""},
				{"PATCH", "/agent-secrets/ID", `{"currentRevision":0}`},
				{"DELETE", "/agent-secret/ID?current_revision=0", ""},
			} {
				known := secretID
				if strings.HasPrefix(op.path, "/envs") {
					known = victim.ID
				}
				there, thereCost := probe(ctx, f, op.method, f.Golem+strings.Replace(op.path, "ID", known, 1), op.body)
				nowhere, nowhereCost := probe(ctx, f, op.method, f.Golem+strings.Replace(op.path, "ID", unknown, 1), op.body)
				what := fmt.Sprintf("%s: %s %s", f.Name, op.method, op.path)
				Expect(there).To(Or(HavePrefix("404 "), HavePrefix("400 ")), what)
				Expect(strings.ReplaceAll(there, known, "ID")).To(Equal(strings.ReplaceAll(nowhere, unknown, "ID")), what)
				Expect(thereCost).To(HaveLen(len(nowhereCost)), what)
			}
		}
	}, SpecTimeout(4*time.Minute))

	It("is told more with each right that the cluster gives", func(ctx SpecContext) {
		role := &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Namespace: victim.Namespace, Name: "stranger"},
			Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"latchkey.dev"}, Resources: []string{"usersecrets", "agentsecrets"}, Verbs: []string{"list"}}},
		}
		Expect(api.Create(ctx, role)).To(Succeed())
		Expect(api.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: victim.Namespace, Name: "stranger"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "stranger"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: stranger.Namespace, Name: "caller"}},
		})).To(Succeed())
		for _, f := range both {
			users, envs := f.Coder+"/users/"+victim.Name+"/secrets", f.Golem+"/envs/"+victim.ID+"/agent-secrets"
			Eventually(ctx, func() []int {
				return []int{
					call(ctx, f, stranger, "GET", users, "").Status, call(ctx, f, stranger, "GET", envs, "").Status,
				}
			}).Should(Equal([]int{http.StatusOK, http.StatusOK}), f.Name)
			Expect(call(ctx, f, stranger, "POST", users, `{"name":"n","value":"v"}`).Status).To(Equal(http.StatusForbidden), f.Name)
			Expect(call(ctx, f, stranger, "DELETE", users+"/known", "").Status).To(Equal(http.StatusForbidden), f.Name)
			Expect(call(ctx, f, stranger, "POST", envs, `{"path":["n"],"secretType":{"type":"Str"}}`).Status).To(Equal(http.StatusForbidden), f.Name)
		}
		Expect(api.Delete(ctx, role)).To(Succeed())
	})

	It("who is no user is told what makes one, and nothing of others", func(ctx SpecContext) {
		for _, f := range both {
			got := call(ctx, f, stranger, "GET", f.Coder+"/users/me/secrets", "")
			Expect(got.Status).To(Equal(http.StatusNotFound), f.Name)
			Expect(string(got.Body)).To(ContainSubstring("latchkey.dev/subjects"), f.Name)
		}
	})
})
