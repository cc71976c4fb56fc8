// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/controllers/rollout"
)

var _ = Describe("A StatefulSet that asks for restarts", func() {
	It("is rolled exactly once for changes that come together", func(ctx SpecContext) {
		user := newUser(ctx, "stateful")
		for _, name := range []string{"one", "two"} {
			userSecret(ctx, user.Namespace, name, v1alpha1.UserSecretSpec{EnvName: name, Value: value("old")})
		}
		set := newStatefulSet(ctx, user.Namespace, "db", 2)
		// Its pods can be ready before Latchkey has noted what they were started with.
		Eventually(ctx, func(g Gomega) {
			g.Expect(settled(set)(ctx)).To(BeEquivalentTo(1))
			g.Expect(set.Annotations).To(HaveKey(rollout.AnnotationContentHash))
		}).Should(Succeed())
		before := set.Generation
		Expect(revisions(ctx, set)).To(HaveLen(1))

		changed := time.Now()
		setValue(ctx, user.Namespace, "one", "new")
		setValue(ctx, user.Namespace, "two", "new")
		Eventually(ctx, settled(set), 2*time.Minute).Should(BeEquivalentTo(before + 1))
		report("two values changed, until both pods of the StatefulSet are new and ready", time.Since(changed))
		for _, name := range []string{"db-0", "db-1"} {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: user.Namespace, Name: name}}
			awaitPod(ctx, pod)
			env := variables(ctx, pod, "main")
			Expect(env).To(HaveKeyWithValue("one", canary+"new"))
			Expect(env).To(HaveKeyWithValue("two", canary+"new"))
		}
		// Neither a new leader nor time makes it roll again.
		restart(ctx, controllerName)
		Consistently(ctx, settled(set), 8*time.Second, time.Second).Should(BeEquivalentTo(before + 1))
		Expect(revisions(ctx, set)).To(HaveLen(2), "one revision before the change and one after it")
		Expect(api.Delete(ctx, set)).To(Succeed())
	})
})

func newStatefulSet(ctx context.Context, namespace, name string, replicas int32) *appsv1.StatefulSet {
	GinkgoHelper()
	app := map[string]string{"app": name}
	set := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{rollout.AnnotationRestart: "true"}},
		Spec: appsv1.StatefulSetSpec{
			Replicas: ptr.To(replicas),
			Selector: &metav1.LabelSelector{MatchLabels: app},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: app}, Spec: newSpec()},
		},
	}
	create(ctx, set)
	return set
}

// settled reads a StatefulSet and returns its generation once all its pods are of it and
// ready, else 0.
func settled(set *appsv1.StatefulSet) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		err := api.Get(ctx, client.ObjectKeyFromObject(set), set)
		s := set.Status
		if s.ObservedGeneration != set.Generation || s.CurrentRevision != s.UpdateRevision ||
			s.ReadyReplicas != ptr.Deref(set.Spec.Replicas, 1) {
			return 0, err
		}
		return set.Generation, err
	}
}

// revisions lists what a StatefulSet's pods have been made from.
func revisions(ctx context.Context, set *appsv1.StatefulSet) []appsv1.ControllerRevision {
	GinkgoHelper()
	list := &appsv1.ControllerRevisionList{}
	Expect(api.List(ctx, list, client.InNamespace(set.Namespace))).To(Succeed())
	return list.Items
}
