// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/rest"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
)

// What people send is what arrives, or it is refused: nothing is changed on its way
// without a word.
var _ = Describe("A number of 64 bits", func() {
	const (
		record  = "{type: Record, fields: [{name: accountId, typ: {type: U64}}]}"
		nested  = "{type: List, inner: {type: Option, inner: {type: Variant, cases: [{name: id, typ: {type: U64}}]}}}"
		advice  = "write it as a string of digits"
		refused = ""
	)

	DescribeTable("arrives as it was written, or is refused with advice", func(ctx SpecContext, secretType, value, want string) {
		tenant := newTenant(ctx)
		for name, try := range map[string]func(manifest string) error{
			"created": func(manifest string) error {
				_, err := cluster.Kubectl.Run(ctx, manifest, "create", "-f", "-")
				return err
			},
			"applied": func(manifest string) error { return tryApply(ctx, manifest) },
			"server":  func(manifest string) error { return tryApply(ctx, manifest, "--server-side") },
		} {
			err := try(agentManifest(tenant, name, "path: ["+name+"]\nsecretType: "+secretType+"\nvalue: "+value))
			if want == refused {
				Expect(err).To(MatchError(ContainSubstring(advice)), name)
				Expect(err).NotTo(MatchError(ContainSubstring(value)), "a refusal does not repeat the value")
				continue
			}
			Expect(err).NotTo(HaveOccurred(), name)
			Eventually(ctx, data(tenant, v1alpha1.BundleAgentFiles)).Should(HaveKeyWithValue(name, want))
		}
	},
		Entry("an S64 beyond 2^53", "{type: S64}", "9007199254740993", "9007199254740993"),
		Entry("a U64 that int64 holds", "{type: U64}", "9223372036854775807", "9223372036854775807"),
		Entry("a U64 above int64", "{type: U64}", "10000000000000000001", refused),
		Entry("the largest U64", "{type: U64}", "18446744073709551615", refused),
		Entry("a U64 in a record", record, "{accountId: 13835058055282163713}", refused),
		Entry("a U64 deep in a type", nested, "[null, {id: 13835058055282163713}]", refused),
		Entry("a U64 above int64 in digits", "{type: U64}", `"10000000000000000001"`, "10000000000000000001"),
		Entry("the largest U64 in digits", "{type: U64}", `"18446744073709551615"`, "18446744073709551615"),
		Entry("a U64 in a record in digits", record, `{accountId: "13835058055282163713"}`, `{"accountId":13835058055282163713}`),
		Entry("a U64 deep in a type in digits", nested, `[null, {id: "13835058055282163713"}]`, `[null,{"id":13835058055282163713}]`),
		Entry("the least S64 in digits", "{type: S64}", `"-9223372036854775808"`, "-9223372036854775808"),
	)

	It("is taken in digits by REST too, and answered as a number", func(ctx SpecContext) {
		face := restFace(ctx, server)
		tenants := conformance.Tenants{Admin: api}
		env, err := tenants.NewEnvironment(ctx, "digits")
		Expect(err).NotTo(HaveOccurred())
		Expect(tenants.GrantEditor(ctx, env)).To(Succeed())
		header := http.Header{"Authorization": {"Bearer " + env.Token}, "Content-Type": {"application/json"}}
		for i, value := range []string{`"18446744073709551615"`, `18446744073709551615`} {
			Eventually(ctx, func(g Gomega) {
				got, err := face.Do(ctx, http.MethodPost, face.Golem+"/envs/"+env.ID+"/agent-secrets", header,
					fmt.Sprintf(`{"path":["n%d"],"secretType":{"type":"List","inner":{"type":"U64"}},"secretValue":[%s]}`, i, value))
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(got.Status).To(Equal(http.StatusOK), string(got.Body))
				g.Expect(string(got.Body)).To(ContainSubstring(`"secretValue":[18446744073709551615]`))
			}).Should(Succeed())
		}
	})

	It("of a type, such as a resource id, is refused with advice too", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		handle := func(id string) string {
			return agentManifest(tenant, "handle", "path: [handle]\nsecretType: {type: Handle, mode: Owned, resource_id: "+id+"}\nvalue: urn/1")
		}
		Expect(tryApply(ctx, handle("10000000000000000001"))).To(MatchError(ContainSubstring("string of digits")))
		Expect(tryApply(ctx, handle(`"10000000000000000001"`))).To(Succeed())
	})
})

var _ = Describe("Text that is no Unicode", func() {
	// post creates an object from bytes, without a client that would change them.
	post := func(ctx context.Context, tenant, resource, body string) (status int, warnings string) {
		GinkgoHelper()
		transport, err := rest.HTTPClientFor(cluster.Config)
		Expect(err).NotTo(HaveOccurred())
		url := strings.TrimSuffix(cluster.Config.Host, "/") + "/apis/latchkey.dev/v1alpha1/namespaces/" + tenant + "/" + resource
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
		Expect(err).NotTo(HaveOccurred())
		request.Header.Set("Content-Type", "application/json")
		response, err := transport.Do(request)
		Expect(err).NotTo(HaveOccurred())
		defer func() { _ = response.Body.Close() }()
		_, err = io.Copy(io.Discard, response.Body)
		Expect(err).NotTo(HaveOccurred())
		return response.StatusCode, strings.Join(response.Header.Values("Warning"), "\n")
	}
	user := func(spec string) string {
		return `{"apiVersion":"latchkey.dev/v1alpha1","kind":"UserSecret","metadata":{"name":"s"},"spec":` + spec + `}`
	}
	agent := func(spec string) string {
		return `{"apiVersion":"latchkey.dev/v1alpha1","kind":"AgentSecret","metadata":{"name":"s"},"spec":` + spec + `}`
	}

	DescribeTable("is warned of where the API server replaces it before admission sees it",
		func(ctx SpecContext, resource, body, field string) {
			status, warnings := post(ctx, newTenant(ctx), resource, body)
			Expect(status).To(Equal(http.StatusCreated))
			if field == "" {
				Expect(warnings).To(BeEmpty())
				return
			}
			Expect(warnings).To(And(ContainSubstring(field+" holds U+FFFD"), Not(ContainSubstring(canary))))
		},
		Entry("control: text is not", "usersecrets", user(`{"envName":"A","value":"`+canary+`é"}`), ""),
		Entry("half of a surrogate pair in a value", "usersecrets", user(`{"envName":"A","value":"`+canary+`\ud800"}`), "spec.value"),
		Entry("bytes that are not UTF-8 in a value", "usersecrets", user(`{"envName":"A","value":"`+canary+"\xff"+`"}`), "spec.value"),
		Entry("half of a surrogate pair in a description", "usersecrets", user(`{"value":"`+canary+`","description":"\udc00"}`), "spec.description"),
		Entry("half of a surrogate pair deep in a value", "agentsecrets",
			agent(`{"path":["a"],"secretType":{"type":"List","inner":{"type":"Str"}},"value":["`+canary+`","\ud800"]}`), "spec.value"),
		Entry("half of a surrogate pair in a type", "agentsecrets",
			agent(`{"path":["a"],"secretType":{"type":"Enum","cases":["\ud800","a"]},"value":"a"}`), "spec.secretType"),
	)

	DescribeTable("is refused by REST, and nothing is stored", func(ctx SpecContext, path, body string) {
		face := restFace(ctx, server)
		me, err := conformance.Tenants{Admin: api}.NewUser(ctx, "text-"+rand.String(8))
		Expect(err).NotTo(HaveOccurred())
		header, url := http.Header{"Authorization": {"Bearer " + me.Token}}, face.Coder+"/users/me/secrets"
		Eventually(ctx, func(g Gomega) {
			got, err := face.Do(ctx, http.MethodPost, url, header, `{"name":"kept","value":"`+canary+`"}`)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got.Status).To(Equal(http.StatusCreated), "control: text is taken")
		}).Should(Succeed())
		method := http.MethodPost
		if path == "/kept" {
			method = http.MethodPatch
		}
		got, err := face.Do(ctx, method, url+path, header, body)
		Expect(err).NotTo(HaveOccurred())
		Expect(got.Status).To(Equal(http.StatusBadRequest))
		Expect(string(got.Body)).NotTo(ContainSubstring(canary))
		got, err = face.Do(ctx, http.MethodGet, url, header, "")
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Count(string(got.Body), `"name"`)).To(Equal(1))
	},
		Entry("in a value", "", `{"name":"n","value":"`+canary+`\ud800"}`),
		Entry("in bytes of a value", "", `{"name":"n","value":"`+canary+"\xff"+`"}`),
		Entry("in a name", "", `{"name":"n\ud800","value":"`+canary+`"}`),
		Entry("in a change", "/kept", `{"value":"`+canary+`\udc00"}`),
		Entry("in a file", "/batch", `{"format":"env","content":"A=`+canary+`\ud83d"}`),
		Entry("in a JSON file", "/batch", `{"format":"json","content":"{\"A\":\"`+canary+`\\ud83d\"}"}`),
	)
})
