// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"maps"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

var _ = Describe("A bundle that somebody else changed", Ordered, ContinueOnFailure, func() {
	var tenant string
	var before corev1.Secret

	BeforeAll(func(ctx SpecContext) {
		tenant = newTenant(ctx)
		create(ctx, framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{
			EnvName: "TOKEN", FilePath: "~/token", Value: v1alpha1.WriteOnlyString(canary),
		}))
		Eventually(ctx, condition(userSecret(tenant, "token"))).Should(Equal("True Projected"))
		before = *native(ctx, tenant, v1alpha1.BundleUserFiles)
	})

	DescribeTable("is what it was again, soon",
		func(ctx SpecContext, change func(*corev1.Secret)) {
			bundle := native(ctx, tenant, v1alpha1.BundleUserFiles)
			modify(ctx, bundle, change)
			Eventually(ctx, func(g Gomega) {
				is := native(ctx, tenant, v1alpha1.BundleUserFiles)
				g.Expect(is.Data).To(Equal(before.Data))
				g.Expect(is.Labels).To(Equal(before.Labels))
				g.Expect(withoutTimes(is)).To(Equal(withoutTimes(&before)))
			}).Should(Succeed())
			awaitIdle(ctx) // the status says when it was repaired
			version := native(ctx, tenant, v1alpha1.BundleUserFiles).ResourceVersion
			mark := now()
			Consistently(ctx, func() []framework.Request {
				return requests(ctx, mark, framework.ByController, framework.Writes, framework.In(tenant))
			}).Should(BeEmpty(), "and then nothing is left to do")
			Expect(native(ctx, tenant, v1alpha1.BundleUserFiles).ResourceVersion).To(Equal(version))
		},
		Entry("a value", func(s *corev1.Secret) { s.Data["token"] = []byte("drifted") }),
		Entry("a value that is gone", func(s *corev1.Secret) { delete(s.Data, "token") }),
		Entry("all values", func(s *corev1.Secret) { s.Data = nil }),
		Entry("a key that was added", func(s *corev1.Secret) { s.Data["added"] = []byte("drifted") }),
		Entry("a key that was added and a value", func(s *corev1.Secret) {
			s.Data["added"], s.Data["token"] = []byte("drifted"), []byte("drifted")
		}),
		Entry("our label", func(s *corev1.Secret) { delete(s.Labels, v1alpha1.LabelBundle) }),
		Entry("our label's value", func(s *corev1.Secret) { s.Labels[v1alpha1.LabelBundle] = "agent" }),
		Entry("all labels", func(s *corev1.Secret) { s.Labels = nil }),
		Entry("the digest", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationMAC] = "drifted" }),
		Entry("the digest of the paths", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationLayout] = "drifted" }),
		Entry("the record", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationRecord] = "drifted" }),
		Entry("all annotations", func(s *corev1.Secret) { s.Annotations = nil }),
	)

	It("or deleted is there again, soon", func(ctx SpecContext) {
		for range 2 {
			Expect(api.Delete(ctx, native(ctx, tenant, v1alpha1.BundleUserFiles))).To(Succeed())
			Eventually(ctx, data(tenant, v1alpha1.BundleUserFiles)).Should(Equal(values{"token": canary}))
		}
	})

	It("while there was no controller is what it was again when there is one", func(ctx SpecContext) {
		whileStopped(ctx, func() {
			modify(ctx, native(ctx, tenant, v1alpha1.BundleUserEnv), func(s *corev1.Secret) { s.Data["TOKEN"] = []byte("drifted") })
			Expect(api.Delete(ctx, native(ctx, tenant, v1alpha1.BundleUserFiles))).To(Succeed())
		})
		Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"TOKEN": canary}))
		Eventually(ctx, data(tenant, v1alpha1.BundleUserFiles)).Should(Equal(values{"token": canary}))
	})

	It("so that it has no label goes with its tenant's last object, also while there was no controller", func(ctx SpecContext) {
		other := newTenant(ctx)
		u := framework.UserSecret(other, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString(canary)})
		create(ctx, u)
		Eventually(ctx, condition(u)).Should(Equal("True Projected"))
		whileStopped(ctx, func() {
			modify(ctx, native(ctx, other, v1alpha1.BundleUserEnv), func(s *corev1.Secret) { s.Labels = nil })
			Expect(api.Delete(ctx, u)).To(Succeed())
		})
		Eventually(ctx, func() error {
			return api.Get(ctx, client.ObjectKey{Namespace: other, Name: v1alpha1.BundleUserEnv}, &corev1.Secret{})
		}).Should(MatchError(apierrors.IsNotFound, "is not found"))
	})

	It("with a digest of paths that there are none of is without it again", func(ctx SpecContext) {
		modify(ctx, native(ctx, tenant, v1alpha1.BundleUserEnv), func(s *corev1.Secret) {
			s.Annotations[v1alpha1.AnnotationLayout] = "drifted"
		})
		Eventually(ctx, func() map[string]string { return native(ctx, tenant, v1alpha1.BundleUserEnv).Annotations }).
			ShouldNot(HaveKey(v1alpha1.AnnotationLayout))
	})

	It("in a way that is not ours to judge is left so", func(ctx SpecContext) {
		bundle := native(ctx, tenant, v1alpha1.BundleUserEnv)
		modify(ctx, bundle, func(s *corev1.Secret) { s.Labels["team"], s.Annotations["note"] = "a", "b" })
		Consistently(ctx, func() string { return native(ctx, tenant, v1alpha1.BundleUserEnv).ResourceVersion }).
			Should(Equal(bundle.ResourceVersion))
	})

	It("so that it can never change again is reported, and repaired when it can", func(ctx SpecContext) {
		immutable := true
		bundle := native(ctx, tenant, v1alpha1.BundleUserEnv)
		modify(ctx, bundle, func(s *corev1.Secret) { s.Immutable = &immutable })
		u := userSecret(tenant, "token")
		modify(ctx, u, func(u *v1alpha1.UserSecret) { u.Spec.Value = v1alpha1.WriteOnlyString(canary + "-2") })
		Eventually(ctx, condition(u)).Should(Equal("False BundleBlocked"))
		Expect(message(ctx, u)).To(ContainSubstring("was made immutable"))
		Expect(api.Delete(ctx, bundle)).To(Succeed())
		Eventually(ctx, condition(u)).Should(Equal("True Projected"))
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(Equal(values{"TOKEN": canary + "-2"}))
	})
})

// withoutTimes returns a bundle's annotations, of the record only whether it is as the
// API server would have it: it says since when values are there.
func withoutTimes(s *corev1.Secret) map[string]string {
	out := maps.Clone(s.Annotations)
	if out == nil {
		return nil
	}
	out[v1alpha1.AnnotationRecord] = fmt.Sprint(len(out[v1alpha1.AnnotationRecord]))
	return out
}
