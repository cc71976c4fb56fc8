// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// A kubelet takes variables as text. One that is none would keep every container of the
// namespace from starting.
var _ = Describe("Bytes that cannot be a variable", func() {
	DescribeTable("are a file and no variable, and the status says so",
		func(ctx SpecContext, value []byte, why string) {
			tenant := newTenant(ctx)
			source := framework.Secret(tenant, "source", nil)
			source.Data["key"] = value
			from := &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "source", Key: "key"}}
			both := framework.UserSecret(tenant, "both", v1alpha1.UserSecretSpec{EnvName: "BOTH", FilePath: "~/both", ValueFrom: from})
			alone := framework.UserSecret(tenant, "alone", v1alpha1.UserSecretSpec{EnvName: "ALONE", ValueFrom: from})
			file := framework.UserSecret(tenant, "file", v1alpha1.UserSecretSpec{FilePath: "~/file", ValueFrom: from})
			other := framework.UserSecret(tenant, "other", v1alpha1.UserSecretSpec{EnvName: "OTHER", Value: v1alpha1.WriteOnlyString(canary)})
			create(ctx, source, other, both, alone, file)
			Eventually(ctx, condition(both)).Should(Equal("False NotAVariable"))
			Eventually(ctx, condition(alone)).Should(Equal("False NotAVariable"))
			Eventually(ctx, condition(file)).Should(Equal("True Projected"))
			Eventually(ctx, condition(other)).Should(Equal("True Projected"))
			Expect(message(ctx, both)).To(Equal("projected as file both of Secret latchkey-user-files; no variable: " + why))
			Expect(message(ctx, alone)).To(Equal("no variable: " + why + ": set filePath to have it as a file"))
			Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(Equal(values{"OTHER": canary}))
			Expect(data(tenant, v1alpha1.BundleUserFiles)(ctx)).To(Equal(values{"both": string(value), "file": string(value)}))

			modify(ctx, source, func(s *corev1.Secret) { s.Data["key"] = []byte(canary + " ü\u0001") })
			Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).
				Should(Equal(values{"OTHER": canary, "BOTH": canary + " ü\u0001", "ALONE": canary + " ü\u0001"}))
			Eventually(ctx, condition(both)).Should(Equal("True Projected"))
		},
		Entry("a byte of no text", []byte(canary+"\xff"), "the value is not UTF-8 text, as an environment variable has to be"),
		Entry("a character that is cut", []byte(canary+"\xe2\x82"), "the value is not UTF-8 text, as an environment variable has to be"),
		Entry("half of a surrogate pair", []byte(canary+"\xed\xa0\x80"), "the value is not UTF-8 text, as an environment variable has to be"),
		Entry("a NUL byte", []byte(canary+"\x00"), "the value contains a NUL byte, which no environment variable can hold"),
	)

	It("and that are an environment's are its files alone", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		made := framework.AgentSecret(tenant, "made", text, quoted(canary+`\u0000`), "made")
		asked := framework.AgentSecret(tenant, "asked", text, quoted(canary+`\u0000`), "asked")
		asked.Spec.EnvName = "ASKED"
		json := framework.AgentSecret(tenant, "json", `{"type":"List","inner":{"type":"Str"}}`, `["`+canary+`\u0000"]`, "json")
		create(ctx, made, asked, json)
		Eventually(ctx, condition(asked)).Should(Equal("False NotAVariable"))
		Eventually(ctx, condition(made)).Should(Equal("True NotAVariable"), "nobody asked for that variable")
		Eventually(ctx, condition(json)).Should(Equal("True Projected"), "JSON escapes it")
		Expect(data(tenant, v1alpha1.BundleAgentEnv)(ctx)).To(Equal(values{"JSON": `["` + canary + `\u0000"]`}))
		Expect(data(tenant, v1alpha1.BundleAgentFiles)(ctx)).To(And(
			HaveKeyWithValue("made", canary+"\x00"), HaveKeyWithValue("asked", canary+"\x00"), HaveLen(4)))
	})
})
