// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// opened counts the values that the controller has opened.
const opened = "latchkey_opened_values_total"

var _ = Describe("While nothing changed", Ordered, func() {
	var tenant string

	BeforeAll(func(ctx SpecContext) {
		tenant = newTenant(ctx)
		create(ctx, framework.Secret(tenant, "source", values{"key": canary}), framework.Secret(tenant, "unrelated", values{"key": "1"}))
		for i := range 5 {
			create(ctx, framework.UserSecret(tenant, fmt.Sprint("u", i), v1alpha1.UserSecretSpec{
				EnvName: fmt.Sprint("U", i), FilePath: fmt.Sprint("~/u", i), Value: v1alpha1.WriteOnlyString(canary),
			}), framework.AgentSecret(tenant, fmt.Sprint("a", i), text, quoted(canary), fmt.Sprint("a", i)))
		}
		create(ctx, framework.UserSecret(tenant, "taken", v1alpha1.UserSecretSpec{
			EnvName:   "TAKEN",
			ValueFrom: &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "source", Key: "key"}},
		}))
		settled(ctx, tenant)
		awaitIdle(ctx)
	})

	It("nothing is written, told or opened, whatever else happens", func(ctx SpecContext) {
		Expect(measured(ctx, opened)).To(BeNumerically(">", 0), "the metric counts")
		before, mark, openedBefore := versions(ctx, tenant), now(), measured(ctx, opened)
		unrelated := framework.Secret(tenant, "unrelated", nil)
		for i := range 3 {
			modify(ctx, userSecret(tenant, "u0"), func(u *v1alpha1.UserSecret) { annotate(u, i) })
			modify(ctx, agentSecret(tenant, "a0"), func(a *v1alpha1.AgentSecret) { annotate(a, i) })
			modify(ctx, unrelated, func(s *corev1.Secret) { s.Data["key"] = fmt.Append(nil, "changed ", i) })
			modify(ctx, native(ctx, tenant, v1alpha1.BundleUserEnv), func(s *corev1.Secret) { annotate(s, i) })
		}
		Expect(api.Delete(ctx, unrelated)).To(Succeed())
		create(ctx, framework.Secret(tenant, "unrelated", nil))
		// Something that does make work, without opening anything, shows that all that
		// came before it was seen.
		other := newTenant(ctx)
		create(ctx, userSecretWithValue(other, "seen"))
		Eventually(ctx, condition(userSecret(other, "seen"))).Should(Equal("True StoredWithoutTarget"))

		Consistently(ctx, func(g Gomega) {
			g.Expect(requests(ctx, mark, framework.ByLatchkey, framework.Writes, framework.In(tenant))).To(BeEmpty())
			g.Expect(measured(ctx, opened)).To(Equal(openedBefore))
		}).Should(Succeed())
		after := versions(ctx, tenant)
		for _, name := range []string{"u0", "a0", "unrelated", v1alpha1.BundleUserEnv} {
			delete(before, tenant+"/"+name) // changed above
			delete(after, tenant+"/"+name)
		}
		Expect(after).To(Equal(before))
	})

	It("a source that was written again with the same value makes no write", func(ctx SpecContext) {
		mark := now()
		modify(ctx, framework.Secret(tenant, "source", nil), func(s *corev1.Secret) { annotate(s, 1) })
		Eventually(ctx, func() []framework.Request {
			return requests(ctx, mark, framework.ByController, framework.On("secrets"), framework.In(tenant))
		}).Should(HaveLen(1), "it is read")
		env := native(ctx, tenant, v1alpha1.BundleUserEnv)
		Consistently(ctx, func() []framework.Request {
			return requests(ctx, mark, framework.ByLatchkey, framework.Writes, framework.In(tenant))
		}).Should(BeEmpty())
		By("and later one, of the bundle's record alone")
		Eventually(ctx, func() string {
			return native(ctx, tenant, v1alpha1.BundleUserEnv).Annotations[v1alpha1.AnnotationRecord]
		}).
			WithTimeout(30 * time.Second).ShouldNot(Equal(env.Annotations[v1alpha1.AnnotationRecord]))
		after := native(ctx, tenant, v1alpha1.BundleUserEnv)
		Expect(after.Data).To(Equal(env.Data))
		Expect(after.Annotations[v1alpha1.AnnotationMAC]).To(Equal(env.Annotations[v1alpha1.AnnotationMAC]))
		awaitIdle(ctx)
	})

	It("a controller that starts writes nothing, and opens nothing that is in a bundle", func(ctx SpecContext) {
		_, err := controller.Stop()
		Expect(err).NotTo(HaveOccurred())
		mark := now()
		since := revision(ctx)
		Expect(controller.Start(ctx, quickly...)).To(Succeed())
		// It has looked at every tenant, and made its rounds.
		awaitIdle(ctx)
		Expect(measured(ctx, opened)).To(BeNumerically("<=", notInBundles(ctx)))
		Eventually(ctx, func() int {
			return len(requests(ctx, mark, framework.ByController, framework.On("configmaps")))
		}).Should(BeNumerically(">=", 2))
		Consistently(ctx, func(g Gomega) {
			g.Expect(requests(ctx, mark, framework.ByController, framework.Writes, framework.Succeeded, notHousekeeping)).To(BeEmpty())
			changed, err := cluster.Etcd.ChangedSince(ctx, since)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(changed).To(HaveEach(Or(
				HavePrefix("/registry/leases/"),
				HavePrefix("/registry/peerserverleases/"), // the API server's own heartbeats
				HavePrefix("/registry/masterleases/"),
				HavePrefix("/registry/events/latchkey-system/latchkey-controller."),
				HavePrefix("/registry/apiregistration.k8s.io/"), // its status, by the API server
			)), "nothing was stored but who leads")
		}).Should(Succeed())
	})
})

// notInBundles counts the objects of all tenants whose values are in no bundle.
func notInBundles(ctx context.Context) int {
	GinkgoHelper()
	users, agents := &v1alpha1.UserSecretList{}, &v1alpha1.AgentSecretList{}
	Expect(api.List(ctx, users)).To(Succeed())
	Expect(api.List(ctx, agents)).To(Succeed())
	n := 0
	for _, o := range users.Items {
		if o.Status.Env == nil && o.Status.File == nil {
			n++
		}
	}
	for _, o := range agents.Items {
		if o.Status.Env == nil && o.Status.File == nil {
			n++
		}
	}
	return n
}

// notHousekeeping leaves out the event of a new leader, and how the library that keeps
// the certificate writes its CA: every time that it starts, also where it is there
// already and nothing is stored.
func notHousekeeping(r framework.Request) bool {
	return r.Resource != "mutatingwebhookconfigurations" && r.Resource != "apiservices" &&
		(r.Resource != "events" || r.Namespace != framework.SystemNamespace)
}

// awaitIdle waits until the controller has nothing left to do for any tenant, of all that
// the specs before have begun: after a change of the keys it looks at everything.
func awaitIdle(ctx context.Context) {
	GinkgoHelper()
	last := -1.0
	Eventually(ctx, func(g Gomega) {
		metrics, err := controller.Metrics(ctx)
		g.Expect(err).NotTo(HaveOccurred())
		before := last
		last, _ = metrics.Sum(opened)
		depth, _ := metrics.Sum("workqueue_depth")
		unfinished, _ := metrics.Sum("workqueue_unfinished_work_seconds")
		g.Expect([]float64{last, depth, unfinished}).To(Equal([]float64{before, 0, 0}))
	}).WithPolling(250 * time.Millisecond).MustPassRepeatedly(4).Should(Succeed())
}

// settled waits until every object of a tenant is ready.
func settled(ctx context.Context, tenant string) {
	GinkgoHelper()
	for _, o := range objectsOf(ctx, tenant) {
		switch o.(type) {
		case *v1alpha1.UserSecret, *v1alpha1.AgentSecret:
			Eventually(ctx, condition(o)).Should(HavePrefix("True "), o.GetName())
		}
	}
}

// annotate changes an object in a way that means nothing to Latchkey.
func annotate(o client.Object, i int) {
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations["example.com/note"] = fmt.Sprint(i)
	o.SetAnnotations(annotations)
}
