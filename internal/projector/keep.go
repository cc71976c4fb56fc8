// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector

import (
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
)

// Keep returns a copy of a pod that will replace the stored one, with what was
// projected into the stored pod. Volumes, mounts and envFrom of a stored pod cannot
// change, and a client that applies a manifest again sends it without them. Nothing
// else is added, whatever the tenant's secrets and the pod's annotations are now. If
// nothing else differs, the lists are the stored ones, in their order.
func Keep(stored, pod *corev1.Pod) *corev1.Pod {
	out := pod.DeepCopy()
	before, after := foreignVolumes(stored.Spec.Volumes), foreignVolumes(out.Spec.Volumes)
	was := map[string]*corev1.Container{}
	for c := range containers(&stored.Spec) {
		was[c.Name] = c
	}
	for c := range containers(&out.Spec) {
		old := was[c.Name]
		if old == nil {
			continue
		}
		// Names are unique in the stored pod, but not yet in the new one. The entries of one
		// container must not be given to thousands.
		delete(was, c.Name)
		if apiequality.Semantic.DeepEqual(settleEnv(old.EnvFrom, nil), settleEnv(c.EnvFrom, nil)) {
			c.EnvFrom = old.EnvFrom
		}
		c.VolumeMounts = keep(old.VolumeMounts, c.VolumeMounts, before.isOurMount, after.isOurMount)
	}
	out.Spec.Volumes = keep(stored.Spec.Volumes, out.Spec.Volumes, isOurVolume, isOurVolume)
	return out
}

// keep returns the stored list if the other differs from it only in elements of ours. Otherwise it returns the other,
// which the API server then refuses because of the other differences.
func keep[T any](stored, list []T, ourStored, ours func(*T) bool) []T {
	if apiequality.Semantic.DeepEqual(settle(stored, nil, ourStored), settle(list, nil, ours)) {
		return stored
	}
	return list
}
