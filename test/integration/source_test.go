// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

	It("follows it: missing, made, changed", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		u := taking(tenant)
		create(ctx, u)
		Eventually(ctx, condition(u)).Should(Equal("False SourceNotFound"))
		Expect(message(ctx, u)).To(Equal("Secret source does not exist in this namespace: create it, or change valueFrom"))
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(BeNil())

		source := framework.Secret(tenant, "source", values{"key": canary + "-1"})
		create(ctx, source)
		Eventually(ctx, condition(u)).Should(Equal("True Projected"))
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(Equal(values{"TAKEN": canary + "-1"}))

		modify(ctx, source, func(s *corev1.Secret) { s.Data["key"] = []byte(canary + "-2") })
		Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"TAKEN": canary + "-2"}))
	})

	// What was projected stays until its object says otherwise, as with a lost key.
	DescribeTable("keeps its value while that is away, and restarts nothing",
		func(ctx SpecContext, away func(SpecContext, *corev1.Secret), why string) {
			tenant := newTenant(ctx)
			source, u := framework.Secret(tenant, "source", values{"key": canary}), taking(tenant)
			u.Spec.FilePath = "~/taken"
			create(ctx, source, u)
			Eventually(ctx, condition(u)).Should(Equal("True Projected"))
			Expect(u.Status.Source).To(Equal(&v1alpha1.SecretKeyRef{Name: "source", Key: "key"}))
			before := versionsOfBundles(ctx, tenant)

			away(ctx, source)
			Eventually(ctx, condition(u)).Should(Equal("False SourceNotFound"))
			Expect(message(ctx, u)).To(Equal(why + "; the value that the bundle has stays in it"))
			Expect(versionsOfBundles(ctx, tenant)).To(Equal(before), "nothing of what workloads are restarted for changed")
			Expect(controller.Restart(ctx, quickly...)).To(Succeed())
			other := userSecretWithValue(tenant, "other") // makes the controller look at the tenant
			other.Spec.EnvName = "OTHER"
			create(ctx, other)
			Eventually(ctx, condition(other)).Should(Equal("True Projected"))
			Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(And(HaveKeyWithValue("TAKEN", canary), HaveKey("OTHER")))
			Expect(data(tenant, v1alpha1.BundleUserFiles)(ctx)).To(Equal(values{"taking": canary}))
			modify(ctx, u, func(u *v1alpha1.UserSecret) { u.Spec.EnvName = "RENAMED" })
			Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(And(HaveKeyWithValue("RENAMED", canary), Not(HaveKey("TAKEN"))))

			back := framework.Secret(tenant, "source", values{"key": canary + "-back"})
			Expect(client.IgnoreNotFound(api.Delete(ctx, back))).To(Succeed())
			create(ctx, framework.Secret(tenant, "source", values{"key": canary + "-back"}))
			Eventually(ctx, condition(u)).Should(Equal("True Projected"))
			Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(HaveKeyWithValue("RENAMED", canary+"-back"))
		},
		Entry("deleted", func(ctx SpecContext, s *corev1.Secret) { Expect(api.Delete(ctx, s)).To(Succeed()) },
			"Secret source does not exist in this namespace: create it, or change valueFrom"),
		Entry("without its key", func(ctx SpecContext, s *corev1.Secret) {
			modify(ctx, s, func(s *corev1.Secret) { s.Data = map[string][]byte{"other": []byte("x")} })
		}, "Secret source has no key key: add it, or change valueFrom"),
		Entry("replaced by another without its key", func(ctx SpecContext, s *corev1.Secret) {
			whileStopped(ctx, func() {
				Expect(api.Delete(ctx, s)).To(Succeed())
				create(ctx, framework.Secret(s.Namespace, s.Name, values{"other": "x"}))
			})
		}, "Secret source has no key key: add it, or change valueFrom"),
		Entry("deleted while there is no controller", func(ctx SpecContext, s *corev1.Secret) {
			whileStopped(ctx, func() { Expect(api.Delete(ctx, s)).To(Succeed()) })
		}, "Secret source does not exist in this namespace: create it, or change valueFrom"),
	)

	DescribeTable("loses the value of a source that is away when it says otherwise",
		func(ctx SpecContext, change func(*v1alpha1.UserSecret), want string) {
			tenant := newTenant(ctx)
			source, u := framework.Secret(tenant, "source", values{"key": canary}), taking(tenant)
			create(ctx, source, u)
			Eventually(ctx, condition(u)).Should(Equal("True Projected"))
			Expect(api.Delete(ctx, source)).To(Succeed())
			Eventually(ctx, condition(u)).Should(Equal("False SourceNotFound"))
			Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(Equal(values{"TAKEN": canary}))
			modify(ctx, u, change)
			Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(BeNil())
			Eventually(ctx, condition(u)).Should(Equal(want))
		},
		Entry("disabled", func(u *v1alpha1.UserSecret) { off := false; u.Spec.Enabled = &off }, "True Disabled"),
		Entry("given another source", func(u *v1alpha1.UserSecret) { u.Spec.ValueFrom.SecretKeyRef.Name = "another" }, "False SourceNotFound"),
		Entry("given another key", func(u *v1alpha1.UserSecret) { u.Spec.ValueFrom.SecretKeyRef.Key = "another" }, "False SourceNotFound"),
		Entry("without a target", func(u *v1alpha1.UserSecret) { u.Spec.EnvName = "" }, "True StoredWithoutTarget"),
	)

	It("loses it at once where the platform asks for that", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		source, u := framework.Secret(tenant, "source", values{"key": canary}), taking(tenant)
		create(ctx, source, u)
		Eventually(ctx, condition(u)).Should(Equal("True Projected"))
		DeferCleanup(func(ctx SpecContext) { Expect(controller.Restart(ctx, quickly...)).To(Succeed()) })
		Expect(controller.Restart(ctx, append([]string{"--drop-missing-sources"}, quickly...)...)).To(Succeed())
		Expect(api.Delete(ctx, source)).To(Succeed())
		Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(BeNil())
		Eventually(ctx, condition(u)).Should(Equal("False SourceNotFound"))
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

// versionsOfBundles returns the versions of a tenant's user bundles.
func versionsOfBundles(ctx context.Context, tenant string) []string {
	GinkgoHelper()
	return []string{
		native(ctx, tenant, v1alpha1.BundleUserEnv).ResourceVersion,
		native(ctx, tenant, v1alpha1.BundleUserFiles).ResourceVersion,
	}
}
