// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
)

// record is what is of interest of an audit record.
type record struct {
	Verb        string            `json:"verb"`
	URI         string            `json:"requestURI"`
	Annotations map[string]string `json:"annotations"`
	User        struct {
		Name string `json:"username"`
	} `json:"user"`
	Response struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

var _ = Describe("Someone who writes or tries to, through REST", func() {
	const canary = "audit-canary-8c1f"

	// records are what the server wrote on its standard output, in a namespace. By default.
	records := func(namespace string) (found []string, log string) {
		GinkgoHelper()
		text, err := os.ReadFile(stack.Server.Log())
		Expect(err).NotTo(HaveOccurred())
		for line := range strings.Lines(string(text)) {
			var r record
			if !strings.Contains(line, `"kind":"Event"`) || json.Unmarshal([]byte(line), &r) != nil || r.Annotations["latchkey.dev/namespace"] != namespace {
				continue
			}
			found = append(found, fmt.Sprintf("%s %s %s %s %d", r.User.Name, r.Annotations["latchkey.dev/face"], r.Verb, r.Annotations["latchkey.dev/object"], r.Response.Code))
		}
		return found, string(text)
	}

	It("is in the audit log, and what they wrote is not", func(ctx SpecContext) {
		both := faces(ctx)
		tenants := conformance.Tenants{Admin: api}
		owner, err := tenants.New(ctx, "audit-owner",
			map[string]string{v1alpha1.LabelUser: "audit-owner", v1alpha1.LabelEnvironment: "audit-owner"},
			map[string]string{v1alpha1.AnnotationSubjects: "system:serviceaccount:audit-owner:caller"})
		Expect(err).NotTo(HaveOccurred())
		Expect(tenants.GrantEditor(ctx, owner)).To(Succeed())
		stranger, err := tenants.New(ctx, "audit-stranger", nil, nil)
		Expect(err).NotTo(HaveOccurred())
		const me, they = "system:serviceaccount:audit-owner:caller", "system:serviceaccount:audit-stranger:caller"
		var want []string
		for _, f := range both {
			Eventually(ctx, func() int {
				return call(ctx, f, owner, "GET", f.Golem+"/envs/"+owner.ID+"/agent-secrets", "").Status
			}).Should(Equal(http.StatusOK))
			mine, theirs := f.Coder+"/users/me/secrets", f.Coder+"/users/"+owner.Name+"/secrets"
			for _, step := range []struct {
				account           conformance.Account
				method, url, body string
				status            int
				record            string
			}{
				{owner, "POST", mine, `{"name":"n","value":"` + canary + `"}`, 201, me + " %s create UserSecret/n 201"},
				{owner, "PATCH", mine + "/n", `{"value":"` + canary + `2"}`, 200, me + " %s patch UserSecret/n 200"},
				{stranger, "PATCH", theirs + "/n", `{"value":"` + canary + `3"}`, 404, they + " %s patch  404"},
				{stranger, "POST", theirs, `{"name":"m","value":"` + canary + `4"}`, 404, they + " %s create  404"},
				{owner, "DELETE", mine + "/n", "", 204, me + " %s delete UserSecret/n 204"},
			} {
				got := call(ctx, f, step.account, step.method, step.url, step.body)
				Expect(got.Status).To(Equal(step.status), "%s", got.Body)
				want = append(want, fmt.Sprintf(step.record, f.Name))
			}
			got := call(ctx, f, owner, "POST", f.Golem+"/envs/"+owner.ID+"/agent-secrets", `{"path":["k"],"secretType":{"type":"Str"},"secretValue":"`+canary+`"}`)
			Expect(got.Status).To(Equal(http.StatusOK), "%s", got.Body)
			var made struct{ ID string }
			Expect(json.Unmarshal(got.Body, &made)).To(Succeed())
			secret := &v1alpha1.AgentSecretList{}
			Expect(api.List(ctx, secret)).To(Succeed())
			at := slices.IndexFunc(secret.Items, func(a v1alpha1.AgentSecret) bool { return string(a.UID) == made.ID })
			object := " AgentSecret/" + secret.Items[at].Name + " "
			one, deletion := f.Golem+"/agent-secrets/"+made.ID, f.Golem+"/agent-secret/"+made.ID
			Expect(call(ctx, f, owner, "PATCH", one, `{"currentRevision":0,"secretValue":{"op":"set","value":"`+canary+`"}}`).Status).To(Equal(200))
			Expect(call(ctx, f, stranger, "PATCH", one, `{"currentRevision":1,"secretValue":{"op":"set","value":"`+canary+`"}}`).Status).To(Equal(404))
			Expect(call(ctx, f, owner, "DELETE", deletion+"?current_revision=1", "").Status).To(Equal(200))
			verb := " post" // to a path that is no resource's
			if f.Aggregated {
				verb = " create"
			}
			want = append(want, me+" "+f.Name+verb+object+"200", me+" "+f.Name+" patch"+object+"200",
				they+" "+f.Name+" patch"+object+"404", me+" "+f.Name+" delete"+object+"200")
		}
		Eventually(ctx, func() []string { found, _ := records(owner.Namespace); return found }).Should(ContainElements(want))
		_, log := records(owner.Namespace)
		Expect(log).NotTo(ContainSubstring(canary))
		for _, a := range []conformance.Account{owner, stranger} {
			Expect(log).NotTo(ContainSubstring(a.Token))
		}
	})
})
