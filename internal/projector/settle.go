// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// settle returns a list whose elements of ours are exactly those wanted. They take the places of those that are there,
// whatever others have added between them; further ones are appended.
func settle[T any](list, want []T, ours func(*T) bool) []T {
	out := make([]T, 0, len(list)+len(want))
	for i := range list {
		switch {
		case !ours(&list[i]):
			out = append(out, list[i])
		case len(want) > 0:
			out = append(out, want[0])
			want = want[1:]
		}
	}
	if out = append(out, want...); len(out) == 0 {
		return nil
	}
	return out
}

// settleEnv returns a list that begins with the wanted entries instead of the bundle entries that it begins with. Later
// references to bundles are the pod's own: it may want them to replace other sources.
func settleEnv(list, want []corev1.EnvFromSource) []corev1.EnvFromSource {
	found := 0
	for found < len(list) && isBundleEnv(&list[found]) {
		found++
	}
	return slices.Concat(want, list[found:])
}

func isBundleEnv(e *corev1.EnvFromSource) bool {
	return e.Prefix == "" && e.ConfigMapRef == nil && e.SecretRef != nil && isTrue(e.SecretRef.Optional) &&
		(e.SecretRef.Name == UserEnvBundle || e.SecretRef.Name == AgentEnvBundle)
}

func bundleEnv(name string) corev1.EnvFromSource {
	return corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: name},
		Optional:             new(true),
	}}
}
