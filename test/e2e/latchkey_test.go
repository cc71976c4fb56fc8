// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/test/framework"
)

const (
	systemNamespace = framework.SystemNamespace
	controllerName  = "latchkey-controller"
	serverName      = "latchkey-server"
)

var apiServices = certs.APIServices()

// deployment reads one of Latchkey's own.
func deployment(ctx context.Context, name string) *appsv1.Deployment {
	GinkgoHelper()
	d := &appsv1.Deployment{}
	Expect(api.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: name}, d)).To(Succeed())
	return d
}

// scale sets the number of replicas of one of Latchkey's Deployments and waits until
// there are as many, and no more. Pods that end have a second for it: how they end in
// good order is another spec's.
func scale(ctx context.Context, name string, replicas int32) {
	GinkgoHelper()
	d := deployment(ctx, name)
	before := d.DeepCopy()
	d.Spec.Replicas = &replicas
	Expect(api.Patch(ctx, d, client.MergeFrom(before))).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		g.Expect(deployment(ctx, name).Status.ObservedGeneration).To(BeNumerically(">=", d.Generation))
	}).Should(Succeed())
	for _, pod := range podsOf(ctx, d) {
		if pod.DeletionTimestamp != nil || replicas == 0 {
			Expect(client.IgnoreNotFound(api.Delete(ctx, &pod, client.GracePeriodSeconds(1)))).To(Succeed())
		}
	}
	awaitDeployment(ctx, name)
	if name == serverName && replicas > 0 {
		Eventually(ctx, reachable).Should(BeTrue())
	}
}

// podsOf lists the pods of a Deployment of Latchkey.
func podsOf(ctx context.Context, d *appsv1.Deployment) []corev1.Pod {
	GinkgoHelper()
	list := &corev1.PodList{}
	Expect(api.List(ctx, list, client.InNamespace(systemNamespace), client.MatchingLabels(d.Spec.Selector.MatchLabels))).To(Succeed())
	return list.Items
}

// awaitDeployment waits until a Deployment of Latchkey is as it should be, with no pod
// left of what it was before.
func awaitDeployment(ctx context.Context, name string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		d := &appsv1.Deployment{}
		g.Expect(api.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: name}, d)).To(Succeed())
		want := ptr.Deref(d.Spec.Replicas, 1)
		s := d.Status
		g.Expect(s.ObservedGeneration).To(BeNumerically(">=", d.Generation))
		g.Expect([]int32{s.Replicas, s.UpdatedReplicas, s.AvailableReplicas}).To(HaveEach(want), name)
		pods := &corev1.PodList{}
		g.Expect(api.List(ctx, pods, client.InNamespace(systemNamespace), client.MatchingLabels(d.Spec.Selector.MatchLabels))).To(Succeed())
		g.Expect(pods.Items).To(HaveLen(int(want)), "pods of "+name)
	}).Should(Succeed())
}

// awaitLatchkey waits until all of Latchkey does its work: its pods are ready, the API
// server reaches admission, and the aggregated APIs are available.
func awaitLatchkey(ctx context.Context) {
	GinkgoHelper()
	for _, name := range []string{controllerName, serverName} {
		awaitDeployment(ctx, name)
	}
	Eventually(ctx, func(ctx context.Context) error {
		probe := framework.UserSecret("default", "probe", v1alpha1.UserSecretSpec{Value: v1alpha1.WriteOnlyString("probe")})
		return api.Create(ctx, probe, client.DryRunAll)
	}).Should(Succeed(), "admission")
	for _, name := range apiServices {
		Eventually(ctx, func(ctx context.Context) (string, error) { return availability(ctx, name) }).Should(Equal("True"), name)
	}
}

// availability reads what the API server says of an aggregated API; "gone" where it
// knows none of that name.
func availability(ctx context.Context, name string) (string, error) {
	raw, err := kubectl.Run(ctx, "", "get", "apiservice", name, "--ignore-not-found", "--output", "json")
	if err != nil || raw == "" {
		return "gone", err
	}
	var service struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	if err := json.Unmarshal([]byte(raw), &service); err != nil {
		return "", fmt.Errorf("apiservice %s: %w", name, err)
	}
	for _, c := range service.Status.Conditions {
		if c.Type == "Available" {
			return c.Status, nil
		}
	}
	return "Unknown", nil
}

// withArguments starts a Deployment of Latchkey again with more arguments, until the end
// of the spec.
func withArguments(ctx context.Context, name string, more ...string) (restore func(context.Context)) {
	GinkgoHelper()
	d := deployment(ctx, name)
	old := slices.Clone(d.Spec.Template.Spec.Containers[0].Args)
	setArguments(ctx, name, slices.Concat(old, more))
	done := false
	restore = func(ctx context.Context) {
		if done {
			return
		}
		done = true
		setArguments(ctx, name, old)
	}
	DeferCleanup(func(ctx SpecContext) { restore(ctx) })
	return restore
}

func setArguments(ctx context.Context, name string, args []string) {
	GinkgoHelper()
	d := deployment(ctx, name)
	before := d.DeepCopy()
	d.Spec.Template.Spec.Containers[0].Args = args
	Expect(api.Patch(ctx, d, client.MergeFrom(before))).To(Succeed())
	awaitDeployment(ctx, name)
}

// restart replaces all pods of a Deployment of Latchkey at once.
func restart(ctx context.Context, name string) {
	GinkgoHelper()
	d := deployment(ctx, name)
	old := map[types.UID]bool{}
	for _, pod := range podsOf(ctx, d) {
		old[pod.UID] = true
		Expect(client.IgnoreNotFound(api.Delete(ctx, &pod, client.GracePeriodSeconds(1)))).To(Succeed())
	}
	Eventually(ctx, func(g Gomega) {
		for _, pod := range podsOf(ctx, d) {
			g.Expect(old[pod.UID]).To(BeFalse(), pod.Name)
		}
	}).Should(Succeed())
	awaitDeployment(ctx, name)
	Eventually(ctx, reachable).Should(BeTrue())
}
