// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// waitScript waits until it is told to end, also as the first process of a container,
// which the kernel ends for no signal that it does not handle.
const waitScript = `trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done`

// newContainer returns a container with a shell that waits.
func newContainer(name string) corev1.Container {
	return corev1.Container{
		Name: name, Image: busybox, ImagePullPolicy: corev1.PullIfNotPresent,
		Command: []string{"sh", "-c", waitScript},
	}
}

// newSpec returns a pod of one container named main, with changes.
func newSpec(changes ...func(*corev1.PodSpec)) corev1.PodSpec {
	spec := corev1.PodSpec{
		Containers:                    []corev1.Container{newContainer("main")},
		TerminationGracePeriodSeconds: ptr.To[int64](1),
		AutomountServiceAccountToken:  ptr.To(false),
	}
	for _, change := range changes {
		change(&spec)
	}
	return spec
}

// as runs all containers as a user who is not root, with a home. A group of 0 sets no
// fsGroup.
func as(user, fsGroup int64, home string) func(*corev1.PodSpec) {
	return func(spec *corev1.PodSpec) {
		spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: &user, RunAsGroup: &user}
		if fsGroup != 0 {
			spec.SecurityContext.FSGroup = &fsGroup
		}
		for i := range spec.Containers {
			spec.Containers[i].Env = append(spec.Containers[i].Env, corev1.EnvVar{Name: "HOME", Value: home})
		}
	}
}

// newPod creates a pod; awaitPod waits for it.
func newPod(ctx context.Context, namespace, name string, spec corev1.PodSpec, annotations map[string]string) *corev1.Pod {
	GinkgoHelper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: annotations}, Spec: spec}
	create(ctx, pod)
	return pod
}

// awaitPod waits until all containers of a pod run.
func awaitPod(ctx context.Context, pod *corev1.Pod) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		g.Expect(api.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
		g.Expect(isReady(pod)).To(BeTrue(), "%s is %s", pod.Name, describe(pod))
	}).Should(Succeed())
}

func isReady(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// describe says what a pod's containers wait for.
func describe(pod *corev1.Pod) string {
	out := []string{string(pod.Status.Phase)}
	for _, s := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if w := s.State.Waiting; w != nil {
			out = append(out, fmt.Sprintf("%s: %s %s", s.Name, w.Reason, w.Message))
		}
		if t := s.State.Terminated; t != nil {
			out = append(out, fmt.Sprintf("%s: ended with %d", s.Name, t.ExitCode))
		}
	}
	return strings.Join(out, ", ")
}

// newDeployment creates a Deployment of one pod.
func newDeployment(ctx context.Context, namespace, name string, spec corev1.PodSpec) *appsv1.Deployment {
	GinkgoHelper()
	app := map[string]string{"app": name}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: app},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: app}, Spec: spec},
			// The old pod first: both do not have to fit.
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
		},
	}
	create(ctx, d)
	return d
}

// podOf waits for the only pod of a workload whose pods have the label app, and returns
// it.
func podOf(ctx context.Context, namespace, app string) *corev1.Pod {
	GinkgoHelper()
	var found *corev1.Pod
	Eventually(ctx, func(g Gomega) {
		list := &corev1.PodList{}
		g.Expect(api.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels{"app": app})).To(Succeed())
		g.Expect(list.Items).To(HaveLen(1))
		g.Expect(isReady(&list.Items[0])).To(BeTrue(), describe(&list.Items[0]))
		found = &list.Items[0]
	}).Should(Succeed())
	return found
}

// tryIn runs a command in a container of a pod.
func tryIn(ctx context.Context, pod *corev1.Pod, container string, command ...string) (string, error) {
	args := append([]string{"exec", "--namespace", pod.Namespace, pod.Name, "--container", container, "--"}, command...)
	out, err := kubectl.Run(ctx, "", args...)
	return strings.TrimRight(out, "\n"), err
}

// in runs a command in the container main of a pod and returns what it prints.
func in(ctx context.Context, pod *corev1.Pod, command ...string) string {
	GinkgoHelper()
	return inContainer(ctx, pod, "main", command...)
}

func inContainer(ctx context.Context, pod *corev1.Pod, container string, command ...string) string {
	GinkgoHelper()
	out, err := tryIn(ctx, pod, container, command...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// end ends the container main of a pod, which is started again. Its command may end with
// it before it can say how it went.
func end(ctx context.Context, pod *corev1.Pod) { _, _ = tryIn(ctx, pod, "main", "kill", "1") }

// variables returns the environment of a container's processes.
func variables(ctx context.Context, pod *corev1.Pod, container string) map[string]string {
	GinkgoHelper()
	found := map[string]string{}
	for line := range strings.Lines(inContainer(ctx, pod, container, "env")) {
		name, text, _ := strings.Cut(strings.TrimRight(line, "\n"), "=")
		found[name] = text
	}
	return found
}

// reading reads a file of the container main, for Eventually.
func reading(pod *corev1.Pod, path string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) { return tryIn(ctx, pod, "main", "cat", path) }
}

// mode returns a file's permissions, owner and group, through links.
func mode(ctx context.Context, pod *corev1.Pod, path string) string {
	GinkgoHelper()
	return in(ctx, pod, "stat", "-L", "-c", "%a %u:%g", path)
}
