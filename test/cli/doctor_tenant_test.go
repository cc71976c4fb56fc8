// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// newUser makes a namespace of a user of its own, with injection.
func newUser(ctx context.Context) string {
	GinkgoHelper()
	ns := newTenant(ctx)
	kubectl(ctx, "label", "namespace", ns, v1alpha1.LabelUser+"="+ns, v1alpha1.LabelInjection+"=enabled")
	return ns
}

// webPod makes a pod of Deployment web.
func webPod(ctx context.Context, namespace string, change func(*corev1.Pod)) {
	GinkgoHelper()
	app := map[string]string{"app": "web", "pod-template-hash": "1"}
	yes := true
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web-1-a", Labels: app, OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-1", UID: types.UID("web-1"), Controller: &yes},
		}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
	if change != nil {
		change(pod)
	}
	Expect(api.Create(ctx, pod)).To(Succeed())
}

// projectedPod makes webPod, and an error where it was not projected into: the API server
// notices a label of a namespace with a short delay.
func projectedPod(ctx context.Context, namespace string, env ...corev1.EnvVar) error {
	GinkgoHelper()
	webPod(ctx, namespace, func(p *corev1.Pod) { p.Spec.Containers[0].Env = env })
	stored := &corev1.Pod{}
	Expect(api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "web-1-a"}, stored)).To(Succeed())
	if len(stored.Spec.Containers[0].EnvFrom) == 0 {
		Expect(api.Delete(ctx, stored, client.GracePeriodSeconds(0))).To(Succeed())
		return errors.New("not projected into yet")
	}
	return nil
}

// webDeployment makes Deployment web.
func webDeployment(ctx context.Context, namespace string, annotations map[string]string) {
	GinkgoHelper()
	app := map[string]string{"app": "web"}
	Expect(api.Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", Annotations: annotations},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: app}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: app}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
		}},
	})).To(Succeed())
}

// byAge returns two namespaces, the older one first, as Latchkey orders them.
func byAge(ctx context.Context, a, b string) (older, younger string) {
	GinkgoHelper()
	x, y := &corev1.Namespace{}, &corev1.Namespace{}
	Expect(api.Get(ctx, client.ObjectKey{Name: a}, x)).To(Succeed())
	Expect(api.Get(ctx, client.ObjectKey{Name: b}, y)).To(Succeed())
	if order := x.CreationTimestamp.Compare(y.CreationTimestamp.Time); order < 0 || order == 0 && x.UID < y.UID {
		return a, b
	}
	return b, a
}

var _ = Describe("doctor --tenant", func() {
	tenant := func(ctx context.Context, ns string) []string { return unwell(ctx, ns, "--tenant") }

	It("finds nothing wrong where pods have what they are to have", func(ctx SpecContext) {
		ns := newUser(ctx)
		succeed(ctx, ns, canary, "set", "t", "--env", "T", "--file", "~/t", "--wait")
		webDeployment(ctx, ns, map[string]string{v1alpha1.AnnotationRestart: "true"})
		Eventually(ctx, func() error { return projectedPod(ctx, ns) }).Should(Succeed())
		Expect(tenant(ctx, ns)).To(BeEmpty())
	})

	It("names what is wrong with labels", func(ctx SpecContext) {
		ns := newTenant(ctx)
		Expect(tenant(ctx, ns)).To(ConsistOf(HavePrefix("Labels warning: it is neither a user nor an environment"), HavePrefix("Injection warning: it is not enabled")))
		kubectl(ctx, "label", "namespace", ns, v1alpha1.LabelUser+"="+ns, v1alpha1.LabelInjection+"=on")
		Expect(tenant(ctx, ns)).To(ConsistOf(HavePrefix(`Injection failed: label latchkey.dev/injection is "on"`)))
		other := newTenant(ctx)
		kubectl(ctx, "annotate", "namespace", other, v1alpha1.AnnotationSubjects+"="+ns)
		kubectl(ctx, "label", "namespace", other, v1alpha1.LabelUser+"="+other, v1alpha1.LabelInjection+"=enabled")
		older, younger := byAge(ctx, ns, other)
		Expect(tenant(ctx, younger)).To(ContainElement("Labels failed: namespace " + older + ", which is older, is the user of subject " + ns + " too, so the REST APIs mean that one"))
		Expect(tenant(ctx, older)).NotTo(ContainElement(HavePrefix("Labels")))
		Expect(run(ctx, "not-there", "", "doctor", "--tenant")).To(And(ends(4), prints(ContainSubstring("✗ Labels                 there is no namespace not-there\n"))))
	})

	It("names what is wrong with secrets", func(ctx SpecContext) {
		ns := newUser(ctx)
		succeed(ctx, ns, canary+strings.Repeat("x", 23000), "set", "large", "--env", "LARGE")
		succeed(ctx, ns, "", "set", "t", "--from", "missing/key", "--env", "T")
		Eventually(ctx, func() []string { return tenant(ctx, ns) }).Should(ConsistOf(
			HavePrefix("Secrets failed: UserSecret t is not ready: SourceNotFound: Secret missing does not exist"),
			MatchRegexp(`^Limits warning: 2\d+ of 24576 bytes of user secrets in variables are used`)))
	})

	It("names pods that lack secrets, and workloads that keep old values", func(ctx SpecContext) {
		ns := newTenant(ctx)
		webPod(ctx, ns, nil) // before injection
		kubectl(ctx, "label", "namespace", ns, v1alpha1.LabelUser+"="+ns, v1alpha1.LabelInjection+"=enabled")
		webDeployment(ctx, ns, nil)
		succeed(ctx, ns, canary, "set", "t", "--env", "T", "--wait")
		Expect(tenant(ctx, ns)).To(ConsistOf(HavePrefix("Pods warning: pod web-1-a has no secrets: it is older than the injection label")))
		kubectl(ctx, "-n", ns, "delete", "pod", "web-1-a", "--force")
		webPod(ctx, ns, func(p *corev1.Pod) { p.Annotations = map[string]string{"latchkey.dev/inject": "false"} })
		Expect(tenant(ctx, ns)).To(ConsistOf("Opted out warning: pod web-1-a gets no secrets, by annotation latchkey.dev/inject"))
		kubectl(ctx, "-n", ns, "delete", "pod", "web-1-a", "--force")
		Eventually(ctx, func() error { return projectedPod(ctx, ns, corev1.EnvVar{Name: "T", Value: "own"}) }).Should(Succeed())
		Expect(tenant(ctx, ns)).To(ConsistOf("Shadowed warning: container app of pod web-1-a sets T itself, so secret t does not reach it"))
		kubectl(ctx, "-n", ns, "delete", "pod", "web-1-a", "--force")
		Eventually(ctx, func() error { return projectedPod(ctx, ns) }).Should(Succeed())
		Expect(tenant(ctx, ns)).To(ConsistOf("Restarts warning: deploy/web keeps the values with which it started, until somebody restarts it"))
	})
})
