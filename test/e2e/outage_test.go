// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
)

// Latchkey is down, and the cluster does not notice. First its servers, then all of it.
var _ = Describe("With Latchkey down", Ordered, func() {
	var user conformance.Account
	var running *corev1.Pod
	var plain string
	var up float64
	replicas := map[string]int32{}

	BeforeAll(func(ctx SpecContext) {
		user = newUser(ctx, "outage")
		userSecret(ctx, user.Namespace, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", FilePath: "~/token", Value: value("token")})
		running = newPod(ctx, user.Namespace, "running", newSpec(), nil)
		awaitPod(ctx, running)
		plain = newNamespace(ctx, "unlabelled").Namespace
		for try := range 4 { // the first one warms up
			up = max(up, creations(ctx, plain, fmt.Sprintf("up-%d", try)))
		}
		for _, name := range []string{serverName, controllerName} {
			replicas[name] = ptr.Deref(deployment(ctx, name).Spec.Replicas, 1)
		}
		DeferCleanup(func(ctx SpecContext) {
			for name, n := range replicas {
				scale(ctx, name, n)
			}
			awaitLatchkey(ctx)
		})
		scale(ctx, serverName, 0)
	})

	It("that is, its servers: the aggregated APIs do not stay behind", func(ctx SpecContext) {
		began := time.Now()
		for _, name := range apiServices {
			Eventually(ctx, func(ctx context.Context) (string, error) { return availability(ctx, name) }).Should(Equal("gone"), name)
		}
		report("no server left, until the cluster has forgotten the aggregated APIs", time.Since(began))
	})

	It("that is, its servers: kubectl works as ever", func(ctx SpecContext) {
		for _, args := range [][]string{{"get", "pods", "--all-namespaces"}, {"api-resources"}} {
			began := time.Now()
			_, err := kubectl.Run(ctx, "", args...)
			took := time.Since(began)
			report("kubectl "+args[0]+" with all servers down", took)
			Expect(err).NotTo(HaveOccurred())
			Expect(took).To(BeNumerically("<", 5*time.Second))
		}
	})

	It("that is, its servers: an unrelated namespace can be deleted", func(ctx SpecContext) {
		victim := newNamespace(ctx, "victim")
		create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: victim.Namespace, Name: "content"}})
		began := time.Now()
		Expect(api.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: victim.Namespace}})).To(Succeed())
		Eventually(ctx, func(ctx context.Context) error {
			return api.Get(ctx, client.ObjectKey{Name: victim.Namespace}, &corev1.Namespace{})
		}).Should(MatchError(apierrors.IsNotFound, "is gone"))
		took := time.Since(began)
		report("deletion of an unrelated namespace with all servers down", took)
		Expect(took).To(BeNumerically("<", 15*time.Second))
	})

	It("that is, its servers: running pods go on, and new ones of tenants wait", func(ctx SpecContext) {
		Expect(running.Status.ContainerStatuses[0].RestartCount).To(BeZero())
		end(ctx, running)
		Eventually(ctx, func(g Gomega) {
			g.Expect(api.Get(ctx, client.ObjectKeyFromObject(running), running)).To(Succeed())
			g.Expect(running.Status.ContainerStatuses[0].RestartCount).To(BeEquivalentTo(1))
			g.Expect(isReady(running)).To(BeTrue(), describe(running))
		}).Should(Succeed())
		Expect(variables(ctx, running, "main")).To(HaveKeyWithValue("TOKEN", canary+"token"))
		refused := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: user.Namespace, Name: "refused"}, Spec: newSpec()}
		Expect(api.Create(ctx, refused)).To(MatchError(ContainSubstring("pods.latchkey.dev")))
	})

	It("that is, all of it: pods of unlabelled namespaces are created as fast", func(ctx SpecContext) {
		scale(ctx, controllerName, 0)
		var down float64
		for try := 0; try < 4 || try < 12 && down < up; try++ { // as often as it takes on a machine with other work
			down = max(down, creations(ctx, plain, fmt.Sprintf("down-%d", try)))
		}
		reportRate("pods created in an unlabelled namespace, Latchkey up", up)
		reportRate("pods created in an unlabelled namespace, Latchkey down", down)
		Expect(down).To(BeNumerically(">", 0.7*up), "as far as a busy machine can tell")
	})

	It("and up again, everything is as before", func(ctx SpecContext) {
		began := time.Now()
		for _, name := range []string{controllerName, serverName} {
			scale(ctx, name, replicas[name])
		}
		awaitLatchkey(ctx)
		report("all of Latchkey from no pod to serving", time.Since(began))
		pod := newPod(ctx, user.Namespace, "later", newSpec(), nil)
		awaitPod(ctx, pod)
		Expect(in(ctx, pod, "cat", "/root/token")).To(Equal(canary + "token"))
	})
})

// creations creates pods that nobody schedules and returns how many were created in a
// second.
func creations(ctx context.Context, namespace, name string) (perSecond float64) {
	GinkgoHelper()
	const writers, pods = 4, 120
	var group errgroup.Group
	group.SetLimit(writers)
	began := time.Now()
	for i := range pods {
		group.Go(func() error {
			return api.Create(ctx, &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%s-%d", name, i)},
				Spec:       newSpec(func(s *corev1.PodSpec) { s.SchedulerName = "nobody" }),
			})
		})
	}
	Expect(group.Wait()).To(Succeed())
	perSecond = pods / time.Since(began).Seconds()
	Expect(api.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace), client.GracePeriodSeconds(0))).To(Succeed())
	return perSecond
}
