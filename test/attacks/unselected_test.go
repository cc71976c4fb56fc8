// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// apply writes a manifest by server-side apply, as the client's user.
func apply(ctx context.Context, as client.Client, u *v1alpha1.UserSecret) error {
	manifest := sourced(u.Namespace, u.Name, func(s *v1alpha1.UserSecretSpec) {
		s.EnvName, s.FilePath, s.Enabled = u.Spec.EnvName, u.Spec.FilePath, u.Spec.Enabled
	})
	manifest.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("UserSecret"))
	return as.Patch(ctx, manifest, client.Apply, client.FieldOwner("gitops"), client.ForceOwnership) //nolint:staticcheck // the typed form has no such kind
}

func merge(ctx context.Context, as client.Client, u *v1alpha1.UserSecret, patch any) error {
	raw, err := json.Marshal(patch)
	Expect(err).NotTo(HaveOccurred())
	return as.Patch(ctx, u.DeepCopy(), client.RawPatch("application/merge-patch+json", raw))
}

// mark is the merge patch of one annotation.
func mark(name, text string) map[string]any {
	return map[string]any{"metadata": map[string]any{"annotations": map[string]any{name: text}}}
}

var _ = Describe("A secret with a source that was stored while admission did not select its namespace", Ordered, func() {
	var e *estate

	BeforeAll(func(ctx SpecContext) {
		e = newEstate(ctx, "source-unselected")
		create(ctx, prodDB(e.Namespace))
	})

	// stored lets write happen without admission, and selects the namespace afterwards.
	stored := func(ctx context.Context, write func()) {
		GinkgoHelper()
		Expect(stack.Unselect(ctx, e.Namespace)).To(Succeed())
		write()
		Expect(stack.Select(ctx, e.Namespace)).To(Succeed())
	}
	notApproved := func(ctx context.Context, u *v1alpha1.UserSecret) {
		GinkgoHelper()
		Eventually(ctx, reason(u)).Should(Equal(v1alpha1.ReasonSourceNotApproved))
		nothingOf(ctx, e.Namespace)
		Expect(apimeta.FindStatusCondition(u.Status.Conditions, v1alpha1.ConditionReady).Message).
			To(And(ContainSubstring("may get Secret prod-db"), Not(ContainSubstring(password))))
	}

	It("is not projected, whatever rewrites it, until somebody who may get the source does", func(ctx SpecContext) {
		u := sourced(e.Namespace, "early", toDB)
		u.Spec.Name = "early"
		stored(ctx, func() { Expect(e.editor.Create(ctx, u)).To(Succeed()) })
		notApproved(ctx, u)
		for _, command := range []string{"controller", "server"} {
			as, err := stack.AsCommand(ctx, command)
			Expect(err).NotTo(HaveOccurred())
			Expect(merge(ctx, as, u, mark("x", command))).To(Succeed(), "Latchkey's own rights are nobody's")
		}
		Expect(merge(ctx, e.editor, u, map[string]any{"spec": map[string]any{"description": "d"}})).To(Succeed())
		Expect(e.patch(ctx, faces(ctx)[0], "early", `{"description":"by REST"}`).Status).To(Equal(200))
		notApproved(ctx, u)

		Expect(merge(ctx, e.owner, u, map[string]any{})).To(Succeed(), "nothing changes but the approval")
		Eventually(ctx, contents(e.Namespace, v1alpha1.BundleUserEnv)).Should(Equal(map[string]string{"DB": password}))
		Eventually(ctx, reason(u)).Should(Equal(v1alpha1.ReasonProjected))
		version := u.ResourceVersion
		Expect(merge(ctx, e.owner, u, map[string]any{})).To(Succeed())
		Expect(api.Get(ctx, client.ObjectKeyFromObject(u), u)).To(Succeed())
		Expect(u.ResourceVersion).To(Equal(version), "the second time there is nothing to do")
		Expect(api.Delete(ctx, u)).To(Succeed())
	})

	It("is approved by the same manifest, applied or replaced by somebody who may get the source", func(ctx SpecContext) {
		for _, again := range []func(*v1alpha1.UserSecret) error{
			func(u *v1alpha1.UserSecret) error { return apply(ctx, e.owner, u) },
			func(u *v1alpha1.UserSecret) error { return e.owner.Update(ctx, u) },
		} {
			u := sourced(e.Namespace, "again", toDB)
			u.Spec.Name = "again"
			stored(ctx, func() { Expect(apply(ctx, e.editor, u)).To(Succeed()) })
			notApproved(ctx, u)
			Expect(apply(ctx, e.editor, u)).To(Succeed())
			notApproved(ctx, u)
			Expect(again(u)).To(Succeed())
			Eventually(ctx, contents(e.Namespace, v1alpha1.BundleUserEnv)).Should(Equal(map[string]string{"DB": password}))
			Expect(api.Delete(ctx, u)).To(Succeed())
			Eventually(ctx, contents(e.Namespace, v1alpha1.BundleUserEnv)).Should(BeNil())
		}
	})

	It("is not projected by an approval that was made for something else", func(ctx SpecContext) {
		u := sourced(e.Namespace, "replayed", toDB)
		create(ctx, u)
		Eventually(ctx, reason(u)).Should(Equal(v1alpha1.ReasonProjected))
		first := u.Annotations[v1alpha1.AnnotationSourceApproval]
		Expect(merge(ctx, api, u, map[string]any{"spec": map[string]any{"description": "d"}})).To(Succeed())
		Expect(api.Get(ctx, client.ObjectKeyFromObject(u), u)).To(Succeed())
		second := u.Annotations[v1alpha1.AnnotationSourceApproval]
		Expect(second).NotTo(Or(BeEmpty(), Equal(first)), "each state has its own")

		By("turning off what was approved, and on again with each approval that there ever was")
		Expect(merge(ctx, api, u, map[string]any{"spec": map[string]any{"enabled": false}})).To(Succeed())
		for _, text := range []string{first, second} {
			stored(ctx, func() {
				Expect(merge(ctx, e.editor, u, map[string]any{"spec": map[string]any{"enabled": true}, "metadata": mark(v1alpha1.AnnotationSourceApproval, text)["metadata"]})).To(Succeed())
			})
			notApproved(ctx, u)
			Expect(merge(ctx, e.editor, u, map[string]any{"spec": map[string]any{"enabled": false}})).To(Succeed())
		}
		By("another object, with the approvals of this one")
		Expect(api.Delete(ctx, u)).To(Succeed())
		for _, text := range []string{first, second} {
			other := sourced(e.Namespace, "copied", toDB)
			other.Annotations = map[string]string{v1alpha1.AnnotationSourceApproval: text}
			stored(ctx, func() { Expect(e.editor.Create(ctx, other)).To(Succeed()) })
			notApproved(ctx, other)
			Expect(api.Delete(ctx, other)).To(Succeed())
		}
		By("its successor of the same name, with an approval that an update made")
		successor := sourced(e.Namespace, "replayed", toDB)
		successor.Annotations = map[string]string{v1alpha1.AnnotationSourceApproval: second}
		stored(ctx, func() { Expect(e.editor.Create(ctx, successor)).To(Succeed()) })
		notApproved(ctx, successor)
	})
})
