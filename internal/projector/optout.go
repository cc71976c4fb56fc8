// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector

import (
	"iter"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Annotations of a pod that steer its projection.
const (
	// AnnotationInject opts the pod out ("false"), or in although hostUsers is false ("true").
	AnnotationInject = "latchkey.dev/inject"
	// AnnotationSkipContainers lists containers and init containers to leave alone, separated by commas.
	AnnotationSkipContainers = "latchkey.dev/skip-containers"
	// AnnotationHome is what "~/" stands for in all containers of the pod.
	AnnotationHome = "latchkey.dev/home"
)

// injectable reports whether the pod is to be projected at all.
func injectable(pod *corev1.Pod, warn *warnings) bool {
	inject := pod.Annotations[AnnotationInject]
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	switch {
	case inject == "false":
		return false
	case mirror:
		// A mirror of a static pod may not refer to Secrets: the API server would refuse it.
		return false
	case isWindows(&pod.Spec):
		warn.add("no secrets in this pod: Windows is not supported")
		return false
	case pod.Spec.HostUsers != nil && !*pod.Spec.HostUsers && inject != "true":
		warn.add("no secrets in this pod: it has hostUsers: false; annotate " + AnnotationInject + `: "true" to inject`)
		return false
	case inject != "" && inject != "true":
		warn.add("annotation " + AnnotationInject + ` is ignored: it must be "true" or "false"`)
	}
	return true
}

func isWindows(spec *corev1.PodSpec) bool {
	return spec.OS != nil && spec.OS.Name == corev1.Windows ||
		spec.NodeSelector[corev1.LabelOSStable] == string(corev1.Windows)
}

// skipped returns the names of the containers that have opted out.
func skipped(pod *corev1.Pod) map[string]bool {
	value := pod.Annotations[AnnotationSkipContainers]
	if value == "" {
		return nil
	}
	names := map[string]bool{}
	for name := range strings.SplitSeq(value, ",") {
		names[strings.TrimSpace(name)] = true
	}
	return names
}

// containers yields the init containers, native sidecars among them, and the containers.
func containers(spec *corev1.PodSpec) iter.Seq[*corev1.Container] {
	return func(yield func(*corev1.Container) bool) {
		for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}
