// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

const text = `{"type":"Str"}`

func quoted(s string) string { return `"` + s + `"` }

var _ = Describe("An AgentSecret", func() {
	It("counts the values that it had in its revision, and nothing else", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		a := framework.AgentSecret(tenant, "counted", text, quoted(canary+"-0"), "counted")
		a.Spec.Revision = 7
		create(ctx, a)
		Expect(a.Spec.Revision).To(BeZero(), "a user cannot set it on creation")
		set := func(value string) int64 {
			modify(ctx, a, func(a *v1alpha1.AgentSecret) { a.Spec.Value = v1alpha1.NewWriteOnly([]byte(value)) })
			return a.Spec.Revision
		}
		Expect(set(quoted(canary + "-1"))).To(BeEquivalentTo(1))
		Expect(set(quoted(canary+"-1"))).To(BeEquivalentTo(1), "the same value again")
		Expect(set(quoted(canary + "-2"))).To(BeEquivalentTo(2))
		modify(ctx, a, func(a *v1alpha1.AgentSecret) { a.Spec.Revision = 9 })
		Expect(a.Spec.Revision).To(BeEquivalentTo(2), "a user cannot set it later")
		modify(ctx, a, func(a *v1alpha1.AgentSecret) { a.Spec.Revision = 3 })
		Expect(a.Spec.Revision).To(BeEquivalentTo(2), "not even to the next")
		modify(ctx, a, func(a *v1alpha1.AgentSecret) { a.Spec.EnvName = "OTHER" })
		Expect(a.Spec.Revision).To(BeEquivalentTo(2), "another target")
		modify(ctx, a, func(a *v1alpha1.AgentSecret) { a.Spec.SealedValue = "" })
		Expect(a.Spec.Revision).To(BeEquivalentTo(3), "no value any more")
		Expect(set(quoted(canary + "-2"))).To(BeEquivalentTo(4))
		Eventually(ctx, data(tenant, v1alpha1.BundleAgentEnv)).Should(Equal(values{"OTHER": canary + "-2"}))
	})

	It("has its path made canonical once, also when it is restored from a backup", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		a := framework.AgentSecret(tenant, "path", text, quoted(canary), "x_y_z", "HTTPServer")
		create(ctx, a)
		Expect(a.Spec.Path).To(Equal([]string{"xYZ", "httpServer"}))
		Eventually(ctx, condition(a)).Should(Equal("True Projected"))

		backup := framework.AgentSecret(tenant, "path", "", "")
		backup.Annotations, backup.Spec = a.Annotations, a.Spec
		Expect(api.Delete(ctx, a)).To(Succeed())
		create(ctx, backup)
		Expect(backup.Spec.Path).To(Equal([]string{"xYZ", "httpServer"}))
		Expect(backup.Spec.SealedValue).To(Equal(a.Spec.SealedValue))
		Eventually(ctx, data(tenant, v1alpha1.BundleAgentEnv)).Should(Equal(values{"X_Y_Z_HTTP_SERVER": canary}))
	})

	It("keeps its path and its type", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		a := framework.AgentSecret(tenant, "fixed", text, quoted(canary), "fixed")
		create(ctx, a)
		refused := func(change func(*v1alpha1.AgentSecret)) error {
			changed := a.DeepCopy()
			change(changed)
			return api.Update(ctx, changed)
		}
		Expect(refused(func(a *v1alpha1.AgentSecret) { a.Spec.Path = []string{"moved"} })).
			To(MatchError(ContainSubstring("spec.path: it is immutable")))
		Expect(refused(func(a *v1alpha1.AgentSecret) { a.Spec.Path = []string{"fixed", "deeper"} })).
			To(MatchError(ContainSubstring("spec.path: it is immutable")))
		Expect(refused(func(a *v1alpha1.AgentSecret) {
			a.Spec.SecretType = runtime.RawExtension{Raw: []byte(`{"type":"U8"}`)}
		})).To(MatchError(ContainSubstring("spec.secretType: it is immutable")))
		was := a.ResourceVersion
		Expect(api.Get(ctx, key(a), a)).To(Succeed())
		Eventually(ctx, condition(a)).Should(Equal("True Projected"))
		Expect(a.Generation).To(BeEquivalentTo(1), was)
	})

	It("takes its type in any spelling and stores it in one", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		a := framework.AgentSecret(tenant, "spelled", `{"unknown":1,"type":"List","inner":{"type":"Str","name":null}}`, `["`+canary+`"]`, "spelled")
		create(ctx, a)
		Expect(a.Spec.SecretType.Raw).To(MatchJSON(`{"type":"List","inner":{"type":"Str"}}`))
		modify(ctx, a, func(a *v1alpha1.AgentSecret) {
			a.Spec.SecretType = runtime.RawExtension{Raw: []byte(`{"type":"List","name":null,"inner":{"type":"Str"}}`)}
		})
		Expect(a.Generation).To(BeEquivalentTo(1))
	})

	DescribeTable("refuses a value of another type, and says what was expected but not what was sent",
		func(ctx SpecContext, secretType, value, want string) {
			tenant := newTenant(ctx)
			err := api.Create(ctx, framework.AgentSecret(tenant, "typed", secretType, value, "typed"))
			Expect(err).To(MatchError(And(ContainSubstring("spec.value: "), ContainSubstring(want), Not(ContainSubstring(canary)))))
			Expect(objectsOf(ctx, tenant)).To(BeEmpty())
		},
		Entry("a text for a number", `{"type":"U16"}`, quoted(canary), "does not match type"),
		Entry("a number out of range", `{"type":"U8"}`, `256`, "does not match type"),
		Entry("a number for a text", text, `12345678`, "does not match type"),
		Entry("an object for a text", text, `{"`+canary+`":1}`, "does not match type"),
		Entry("a case that there is not", `{"type":"Enum","cases":["a","b"]}`, quoted(canary), "does not match type"),
		Entry("a field that is missing", `{"type":"Record","fields":[{"name":"a","typ":{"type":"Str"}}]}`, `{"`+canary+`":"x"}`, "does not match type"),
	)

	It("without a value is ready and projected nowhere until it has one", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		a := framework.AgentSecret(tenant, "later", text, "", "later")
		create(ctx, a)
		Eventually(ctx, condition(a)).Should(Equal("True NoValue"))
		Consistently(ctx, data(tenant, v1alpha1.BundleAgentFiles)).Should(BeNil())
		modify(ctx, a, func(a *v1alpha1.AgentSecret) { a.Spec.Value = v1alpha1.NewWriteOnly([]byte(quoted(canary))) })
		Eventually(ctx, data(tenant, v1alpha1.BundleAgentFiles)).Should(Equal(values{
			"later": canary, "secrets.json": `{"later":"` + canary + `"}`,
		}))
		Expect(a.Spec.Revision).To(BeEquivalentTo(1))
	})

	DescribeTable("is projected as its type says",
		func(ctx SpecContext, secretType, value, want string) {
			tenant := newTenant(ctx)
			create(ctx, framework.AgentSecret(tenant, "typed", secretType, value, "typed"))
			Eventually(ctx, data(tenant, v1alpha1.BundleAgentEnv)).Should(Equal(values{"TYPED": want}))
		},
		Entry("a text raw", text, `"a \"b\" ü"`, `a "b" ü`),
		Entry("a whole number", `{"type":"U64"}`, `9223372036854775807`, `9223372036854775807`),
		Entry("a truncated number", `{"type":"U8"}`, `1.5`, `1`),
		Entry("flags in their order", `{"type":"Flags","names":["a","b","c"]}`, `["c","a"]`, `["a","c"]`),
		Entry("an option that is left out", `{"type":"Record","fields":[{"name":"o","typ":{"type":"Option","inner":{"type":"Str"}}}]}`, `{}`, `{"o":null}`),
	)

	It("has targets of its own where it names them", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		a := framework.AgentSecret(tenant, "named", text, quoted(canary), "named")
		a.Spec.EnvName, a.Spec.FilePath = "My_Name", "deep/er.txt"
		create(ctx, a)
		Eventually(ctx, condition(a)).Should(Equal("True Projected"))
		Expect(a.Status.Env.Key).To(Equal("My_Name"))
		Expect(data(tenant, v1alpha1.BundleAgentEnv)(ctx)).To(Equal(values{"My_Name": canary}))
		Expect(data(tenant, v1alpha1.BundleAgentFiles)(ctx)).To(HaveKeyWithValue(a.Status.File.Key, canary))
	})

	It("whose path has no portable variable name is a file alone", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		create(ctx, framework.AgentSecret(tenant, "unicode", text, quoted(canary), "schlüssel"))
		Eventually(ctx, condition(agentSecret(tenant, "unicode"))).Should(Equal("True Projected"))
		Expect(data(tenant, v1alpha1.BundleAgentEnv)(ctx)).To(BeNil())
		Expect(data(tenant, v1alpha1.BundleAgentFiles)(ctx)).To(HaveKeyWithValue("secrets.json", `{"schlüssel":"`+canary+`"}`))
	})
})
