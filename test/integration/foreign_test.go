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

var _ = Describe("A Secret of somebody else's with a bundle's name", func() {
	DescribeTable("is left alone and reported, and its place taken when it goes",
		func(ctx SpecContext, labels map[string]string) {
			tenant := newTenant(ctx)
			foreign := framework.Secret(tenant, v1alpha1.BundleUserEnv, values{"THEIRS": "theirs"})
			foreign.Labels = labels
			create(ctx, foreign)
			u := framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{
				EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString(canary),
			})
			file := framework.UserSecret(tenant, "file", v1alpha1.UserSecretSpec{
				FilePath: "~/file", Value: v1alpha1.WriteOnlyString(canary),
			})
			create(ctx, u, file)
			Eventually(ctx, condition(u)).Should(Equal("False BundleBlocked"))
			Expect(message(ctx, u)).To(ContainSubstring("Secret latchkey-user-env is not Latchkey's"))
			Eventually(ctx, condition(file)).Should(Equal("True Projected"), "the other bundle is not in its way")
			Eventually(ctx, eventsOn(u)).Should(Equal([]string{"Warning BundleBlocked"}))

			Expect(api.Delete(ctx, foreign)).To(Succeed())
			Eventually(ctx, condition(u)).Should(Equal("True Projected"))
			Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(Equal(values{"TOKEN": canary}))
		},
		Entry("without labels", nil),
		Entry("with our own label", map[string]string{v1alpha1.LabelBundle: "user"}),
	)

	DescribeTable("is neither changed nor deleted by anything that we do",
		func(ctx SpecContext, labels map[string]string) {
			tenant := newTenant(ctx)
			foreign := framework.Secret(tenant, v1alpha1.BundleUserEnv, values{"THEIRS": "theirs"})
			foreign.Labels = labels
			create(ctx, foreign)
			u := framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{
				EnvName: "TOKEN", FilePath: "~/token", Value: v1alpha1.WriteOnlyString(canary),
			})
			create(ctx, u)
			Eventually(ctx, condition(u)).Should(Equal("False BundleBlocked"))
			Expect(controller.Restart(ctx, quickly...)).To(Succeed())
			modify(ctx, u, func(u *v1alpha1.UserSecret) { u.Spec.EnvName = "RENAMED" })
			Eventually(ctx, condition(u)).Should(Equal("False BundleBlocked"))
			// Now nothing is to be in that bundle any more, and at last in none.
			modify(ctx, u, func(u *v1alpha1.UserSecret) { u.Spec.EnvName = "" })
			Eventually(ctx, condition(u)).Should(Equal("True Projected"))
			Expect(api.Delete(ctx, u)).To(Succeed())
			Eventually(ctx, data(tenant, v1alpha1.BundleUserFiles)).Should(BeNil())
			is := &corev1.Secret{}
			Consistently(ctx, func(g Gomega) {
				g.Expect(api.Get(ctx, key(foreign), is)).To(Succeed())
				g.Expect(is.ResourceVersion).To(Equal(foreign.ResourceVersion))
			}).Should(Succeed())
			Expect(api.Delete(ctx, foreign)).To(Succeed())
		},
		Entry("without labels", nil),
		Entry("with our own label", map[string]string{v1alpha1.LabelBundle: "user"}),
	)
})
