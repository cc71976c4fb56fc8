// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/controllers/rollout"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// No controller of the cluster replaces pods here: a rollout is a new digest on the
// pod template, and it ends when a spec says so.
var _ = Describe("A workload that asks for restarts", Ordered, func() {
	var tenant string
	var flags []string

	BeforeAll(func(ctx SpecContext) {
		tenant = newTenant(ctx)
		flags = append([]string{"--restart-delay=200ms", "--max-concurrent-rollouts=2"}, quickly...)
		Expect(controller.Restart(ctx, flags...)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(controller.Restart(ctx, quickly...)).To(Succeed()) })
		create(ctx, framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString("one")}))
		Eventually(ctx, condition(userSecret(tenant, "token"))).Should(Equal("True Projected"))
	})

	It("is not restarted for asking, and once for a change", func(ctx SpecContext) {
		all := []client.Object{newDeployment(tenant, "web"), newStatefulSet(tenant, "db"), newDaemonSet(tenant, "agent")}
		create(ctx, all...)
		for _, o := range all {
			DeferCleanup(remove, o)
			Eventually(ctx, noted(o)).ShouldNot(BeEmpty())
			Expect(rolledTo(o)(ctx)).To(BeEmpty())
		}
		setValue(ctx, tenant, "two")
		for _, o := range all {
			// They take turns: one tenant leaves a place for others.
			Eventually(ctx, func(g Gomega) {
				for _, other := range all {
					finish(ctx, other)
				}
				g.Expect(rolledTo(o)(ctx)).NotTo(BeEmpty())
			}).Should(Succeed())
			Expect(rolledTo(o)(ctx)).To(Equal(o.GetAnnotations()[rollout.AnnotationContentHash]))
			Eventually(ctx, reasons(o)).Should(ConsistOf(rollout.ReasonContentChanged))
		}
		for _, o := range all {
			version := o.GetResourceVersion()
			Consistently(ctx, func(ctx context.Context) (string, error) {
				err := api.Get(ctx, key(o), o)
				return o.GetResourceVersion(), err
			}).Should(Equal(version))
		}
	})

	It("is not restarted by what changes no content", func(ctx SpecContext) {
		web := newDeployment(tenant, "calm")
		create(ctx, web)
		DeferCleanup(remove, web)
		Eventually(ctx, noted(web)).ShouldNot(BeEmpty())
		calm := func() {
			GinkgoHelper()
			Eventually(ctx, looks).Should(BeNumerically(">", 0))
			mark, err := cluster.Audit.Now()
			Expect(err).NotTo(HaveOccurred())
			Consistently(ctx, rolledTo(web), time.Second).Should(BeEmpty())
			writes, err := cluster.Audit.Since(mark, framework.ByController, framework.Writes, framework.On("deployments"))
			Expect(err).NotTo(HaveOccurred())
			Expect(writes).To(BeEmpty())
		}
		By("a description")
		modify(ctx, userSecret(tenant, "token"), func(u *v1alpha1.UserSecret) { u.Spec.Description = "changed" })
		calm()
		By("a restart of the controller")
		Expect(controller.Restart(ctx, flags...)).To(Succeed())
		calm()
		By("a rotation, after which every value is sealed again")
		u := userSecret(tenant, "token")
		Expect(api.Get(ctx, key(u), u)).To(Succeed())
		before := u.Spec.SealedValue
		Expect(controller.Restart(ctx, append([]string{"--key-rotation=1s"}, flags...)...)).To(Succeed())
		Eventually(ctx, func() (string, error) {
			err := api.Get(ctx, key(u), u)
			return u.Spec.SealedValue, err
		}).ShouldNot(Equal(before))
		Expect(controller.Restart(ctx, flags...)).To(Succeed())
		calm()
	})

	It("is restarted for what changed while the controller was down", func(ctx SpecContext) {
		web := newDeployment(tenant, "late")
		create(ctx, web)
		DeferCleanup(remove, web)
		Eventually(ctx, noted(web)).ShouldNot(BeEmpty())
		_, err := controller.Stop()
		Expect(err).NotTo(HaveOccurred())
		setValue(ctx, tenant, "while it was down")
		Expect(controller.Start(ctx, flags...)).To(Succeed())
		Eventually(ctx, rolledTo(web)).ShouldNot(BeEmpty())
		once, err := rolledTo(web)(ctx)
		Expect(err).NotTo(HaveOccurred())
		Consistently(ctx, rolledTo(web)).Should(Equal(once))
	})

	It("is restarted for what changed while the controller was down, though it is younger than the controller's end", func(ctx SpecContext) {
		_, err := controller.Stop()
		Expect(err).NotTo(HaveOccurred())
		web := newDeployment(tenant, "young")
		create(ctx, web)
		DeferCleanup(remove, web)
		setValue(ctx, tenant, "while it was down, again")
		Expect(controller.Start(ctx, flags...)).To(Succeed())
		Eventually(ctx, rolledTo(web)).ShouldNot(BeEmpty())
		Expect(rolledTo(web)(ctx)).To(Equal(web.Annotations[rollout.AnnotationContentHash]))
		Eventually(ctx, reasons(web)).Should(ConsistOf(rollout.ReasonContentChanged))
	})

	It("waits for others", func(ctx SpecContext) {
		var tenants []string
		var all []*appsv1.Deployment
		for i := range 5 {
			tenants = append(tenants, newTenant(ctx))
			create(ctx, framework.UserSecret(tenants[i], "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString("one")}))
			Eventually(ctx, condition(userSecret(tenants[i], "token"))).Should(Equal("True Projected"))
			web := newDeployment(tenants[i], "web")
			create(ctx, web)
			DeferCleanup(remove, web)
			Eventually(ctx, noted(web)).ShouldNot(BeEmpty())
			all = append(all, web)
		}
		for _, t := range tenants {
			setValue(ctx, t, "two")
		}
		underWay := func(ctx context.Context) (names []string, err error) {
			for _, d := range all {
				digest, err := rolledTo(d)(ctx)
				if err != nil {
					return nil, err
				}
				if digest != "" && d.Status.ObservedGeneration < d.Generation {
					names = append(names, d.Namespace)
				}
			}
			return names, nil
		}
		for _, want := range []int{2, 2, 1} {
			Eventually(ctx, underWay).Should(HaveLen(want))
			Consistently(ctx, underWay, 3*time.Second).Should(HaveLen(want))
			for _, d := range all {
				finish(ctx, d)
			}
		}
		for _, d := range all {
			Expect(rolledTo(d)(ctx)).NotTo(BeEmpty())
		}
	})
})

func workloadMeta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{rollout.AnnotationRestart: "true"}}
}

func podTemplate() (*metav1.LabelSelector, corev1.PodTemplateSpec) {
	labels := map[string]string{"app": "web"}
	return &metav1.LabelSelector{MatchLabels: labels}, corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "none.invalid/app"}}},
	}
}

func newDeployment(namespace, name string) *appsv1.Deployment {
	selector, template := podTemplate()
	return &appsv1.Deployment{ObjectMeta: workloadMeta(namespace, name), Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}}
}

func newStatefulSet(namespace, name string) *appsv1.StatefulSet {
	selector, template := podTemplate()
	return &appsv1.StatefulSet{ObjectMeta: workloadMeta(namespace, name), Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}}
}

func newDaemonSet(namespace, name string) *appsv1.DaemonSet {
	selector, template := podTemplate()
	return &appsv1.DaemonSet{ObjectMeta: workloadMeta(namespace, name), Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}}
}

// remove deletes a workload, so that it takes no part in later specs.
func remove(ctx SpecContext, o client.Object) {
	Expect(api.Delete(ctx, o)).To(Succeed())
}

func setValue(ctx context.Context, namespace, value string) {
	GinkgoHelper()
	modify(ctx, userSecret(namespace, "token"), func(u *v1alpha1.UserSecret) { u.Spec.Value = v1alpha1.WriteOnlyString(value) })
}

// noted reads the digest that is noted on a workload.
func noted(o client.Object) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		err := api.Get(ctx, key(o), o)
		return o.GetAnnotations()[rollout.AnnotationContentHash], err
	}
}

// rolledTo reads the digest on the pod template; none means that the workload was
// never rolled.
func rolledTo(o client.Object) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		err := api.Get(ctx, key(o), o)
		var template corev1.PodTemplateSpec
		switch o := o.(type) {
		case *appsv1.Deployment:
			template = o.Spec.Template
		case *appsv1.StatefulSet:
			template = o.Spec.Template
		case *appsv1.DaemonSet:
			template = o.Spec.Template
		}
		return template.Annotations[rollout.AnnotationContentHash], err
	}
}

// looks reads how many workloads this run of the controller has looked at.
func looks(ctx context.Context) (float64, error) {
	metrics, err := controller.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	n, _ := metrics.Sum("controller_runtime_reconcile_total", "controller", "rollout")
	return n, nil
}

// finish says of a workload that its rollout succeeded, if it was rolled.
func finish(ctx context.Context, o client.Object) {
	GinkgoHelper()
	digest, err := rolledTo(o)(ctx)
	Expect(err).NotTo(HaveOccurred())
	if digest == "" {
		return
	}
	switch o := o.(type) {
	case *appsv1.Deployment:
		o.Status = appsv1.DeploymentStatus{ObservedGeneration: o.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	case *appsv1.StatefulSet:
		o.Status = appsv1.StatefulSetStatus{ObservedGeneration: o.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	case *appsv1.DaemonSet:
		o.Status = appsv1.DaemonSetStatus{ObservedGeneration: o.Generation}
	}
	Expect(api.Status().Update(ctx, o)).To(Succeed())
}

// reasons reads the reasons of the events about an object.
func reasons(o client.Object) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		list := &eventsv1.EventList{}
		if err := api.List(ctx, list, client.InNamespace(o.GetNamespace())); err != nil {
			return nil, err
		}
		var found []string
		for i := range list.Items {
			if list.Items[i].Regarding.UID == o.GetUID() {
				found = append(found, list.Items[i].Reason)
			}
		}
		return found, nil
	}
}
