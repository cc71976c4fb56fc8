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

var _ = Describe("A UserSecret that takes its value from a Secret", func() {
	taking := func(tenant string) *v1alpha1.UserSecret {
		return framework.UserSecret(tenant, "taking", v1alpha1.UserSecretSpec{
			EnvName:   "TAKEN",
			ValueFrom: &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "source", Key: "key"}},
		})
	}

	It("follows it: missing, made, changed, its key removed and back, deleted", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		u := taking(tenant)
		create(ctx, u)
		Eventually(ctx, condition(u)).Should(Equal("False SourceNotFound"))
		Expect(message(ctx, u)).To(Equal("Secret source does not exist in this namespace: create it, or change valueFrom"))

		source := framework.Secret(tenant, "source", values{"key": canary + "-1"})
		create(ctx, source)
		Eventually(ctx, condition(u)).Should(Equal("True Projected"))
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(Equal(values{"TAKEN": canary + "-1"}))

		modify(ctx, source, func(s *corev1.Secret) { s.Data["key"] = []byte(canary + "-2") })
		Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"TAKEN": canary + "-2"}))

		modify(ctx, source, func(s *corev1.Secret) { s.Data = map[string][]byte{"other": []byte("x")} })
		Eventually(ctx, condition(u)).Should(Equal("False SourceNotFound"))
		Expect(message(ctx, u)).To(Equal("Secret source has no key key: add it, or change valueFrom"))
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(BeNil())

		modify(ctx, source, func(s *corev1.Secret) { s.Data["key"] = []byte(canary + "-3") })
		Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"TAKEN": canary + "-3"}))

		Expect(api.Delete(ctx, source)).To(Succeed())
		Eventually(ctx, condition(u)).Should(Equal("False SourceNotFound"))
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(BeNil())
	})

	DescribeTable("is not projected where that value could be none",
		func(ctx SpecContext, value func() []byte, want string) {
			tenant := newTenant(ctx)
			source := framework.Secret(tenant, "source", nil)
			source.Data["key"] = value()
			u := taking(tenant)
			create(ctx, source, u)
			Eventually(ctx, condition(u)).Should(Equal("False InvalidValue"))
			Expect(message(ctx, u)).To(And(ContainSubstring(want), Not(ContainSubstring(canary))))
			Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(BeNil())
		},
		Entry("a value of 24577 bytes", func() []byte { return make([]byte, 24577) }, "exceeds 24576 bytes"),
	)

	It("never reads another tenant's", func(ctx SpecContext) {
		tenant, other := newTenant(ctx), newTenant(ctx)
		create(ctx, framework.Secret(other, "source", values{"key": canary}))
		u := taking(tenant)
		create(ctx, u)
		Eventually(ctx, condition(u)).Should(Equal("False SourceNotFound"))
	})
})
