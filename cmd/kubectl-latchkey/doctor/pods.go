// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/usage"
	"github.com/latchkey-dev/latchkey/internal/projector"
)

// live are the pods that run or will.
func (f TenantFacts) live() []*corev1.Pod {
	var all []*corev1.Pod
	for i := range f.Pods.Value {
		p := &f.Pods.Value[i]
		if p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			all = append(all, p)
		}
	}
	return all
}

// content is what a pod of the namespace is to get, files at paths of their own left out.
func (f TenantFacts) content() projector.Content {
	var c projector.Content
	own := f.Namespace.Value.Labels
	if own[v1alpha1.LabelUser] != "" || len(f.Users.Value) > 0 {
		c.UserEnv, c.UserFiles = v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles
	}
	if own[v1alpha1.LabelEnvironment] != "" || len(f.Agents.Value) > 0 {
		c.AgentEnv, c.AgentFiles = v1alpha1.BundleAgentEnv, v1alpha1.BundleAgentFiles
	}
	return c
}

// replace is the command that makes a pod anew.
func (f TenantFacts) replace(pod *corev1.Pod) string {
	workload := usage.WorkloadOf(pod)
	if kind, _, _ := strings.Cut(workload, "/"); slices.Contains([]string{"deploy", "sts", "ds"}, kind) {
		return fmt.Sprintf("kubectl -n %s rollout restart %s", f.Name, workload)
	}
	return fmt.Sprintf("kubectl -n %s delete pod %s", f.Name, pod.Name)
}

// injected finds pods that lack what a pod of today would get.
func injected(f TenantFacts) []Finding {
	const check = "Pods"
	if unread, is := f.Pods.unread(check); is {
		return unread
	}
	injection := f.Namespace.Value.Labels[v1alpha1.LabelInjection]
	if injection != v1alpha1.InjectionEnabled && injection != v1alpha1.InjectionOptIn {
		return nil // no pod gets anything, which is said already
	}
	var found []Finding
	for _, pod := range f.live() {
		if injection == v1alpha1.InjectionOptIn && pod.Annotations[projector.AnnotationInject] != "true" {
			continue
		}
		without := apiequality.Semantic.DeepEqual(pod, projector.Unproject(pod))
		if without && !apiequality.Semantic.DeepEqual(pod, projector.Project(pod, f.content(), projector.Options{}).Pod) {
			found = append(found, warn(check, f.replace(pod), "pod %s has no secrets: it is older than the injection label, or was made while the webhook was missing", pod.Name))
		}
	}
	return orOK(found, check, "%s, none of them from before injection", cli.Counted(len(f.live()), "pod"))
}

func optedOut(f TenantFacts) []Finding {
	if f.Namespace.Value.Labels[v1alpha1.LabelInjection] != v1alpha1.InjectionEnabled {
		return nil
	}
	var found []Finding
	for _, pod := range f.live() {
		if pod.Annotations[projector.AnnotationInject] == "false" {
			found = append(found, warn("Opted out", fmt.Sprintf("kubectl -n %s get pod %s -o jsonpath={.metadata.annotations}", f.Name, pod.Name),
				"pod %s gets no secrets, by annotation %s", pod.Name, projector.AnnotationInject))
		} else if skip := pod.Annotations[projector.AnnotationSkipContainers]; skip != "" {
			found = append(found, warn("Opted out", fmt.Sprintf("kubectl -n %s get pod %s -o jsonpath={.metadata.annotations}", f.Name, pod.Name),
				"containers of pod %s get no secrets, by annotation %s: %s", pod.Name, projector.AnnotationSkipContainers, skip))
		}
	}
	return found
}

// shadowed finds variables that a container has of its own, so that a secret does not
// reach it.
func shadowed(f TenantFacts) []Finding {
	const check = "Shadowed"
	variables := map[string]string{} // and the secret, users' before agents'
	var found []Finding
	for _, i := range f.Items() {
		env := i.Status().Env
		if env == nil {
			continue
		}
		if other, taken := variables[env.Key]; taken {
			found = append(found, warn(check, fmt.Sprintf("kubectl latchkey describe %s -n %s", i.Meta().Name, f.Name), "variable %s of %s is that of %s in pods", env.Key, i.Meta().Name, other))
			continue
		}
		variables[env.Key] = i.Meta().Name
	}
	for _, pod := range f.live() {
		if apiequality.Semantic.DeepEqual(pod, projector.Unproject(pod)) {
			continue // it gets nothing that could be shadowed
		}
		for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			for _, e := range c.Env {
				if secret, is := variables[e.Name]; is && !fromBundle(e) {
					found = append(found, warn(check, fmt.Sprintf("kubectl -n %s get %s -o yaml", f.Name, usage.WorkloadOf(pod)),
						"container %s of pod %s sets %s itself, so secret %s does not reach it", c.Name, pod.Name, e.Name, secret))
				}
			}
		}
	}
	return found
}

// fromBundle reports whether a variable of a container's own takes its value from a
// bundle.
func fromBundle(e corev1.EnvVar) bool {
	return e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil &&
		(e.ValueFrom.SecretKeyRef.Name == v1alpha1.BundleUserEnv || e.ValueFrom.SecretKeyRef.Name == v1alpha1.BundleAgentEnv)
}

// consumers finds workloads that keep the values with which they started.
func consumers(f TenantFacts) []Finding {
	const check = "Restarts"
	if !f.Pods.known() || len(f.Places) == 0 {
		return nil
	}
	kept := map[string]bool{}
	for _, u := range usage.Of(usage.Question{Places: f.Places, Now: f.Now}, f.Pods.Value) {
		if u.As != usage.AsLive {
			kept[u.Workload] = true
		}
	}
	if unread, is := f.Restarts.unread(check); is && len(kept) > 0 {
		return unread
	}
	var found []Finding
	for _, workload := range slices.Sorted(maps.Keys(kept)) {
		if asks, known := f.Restarts.Value[workload]; known && !asks {
			found = append(found, warn(check, fmt.Sprintf("kubectl -n %s annotate %s %s=true", f.Name, workload, v1alpha1.AnnotationRestart),
				"%s keeps the values with which it started, until somebody restarts it", workload))
		}
	}
	return found
}
