// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// waysOf returns the ways in which a container has what lies in places, each once.
func waysOf(pod *corev1.Pod, c *corev1.Container, places []Place) []string {
	var ways []string
	if slices.ContainsFunc(places, func(p Place) bool { return hasVariable(c, p) }) {
		ways = append(ways, AsVariable)
	}
	file, live := mounted(pod, c, places)
	if file {
		ways = append(ways, AsFile)
	}
	if live {
		ways = append(ways, AsLive)
	}
	return ways
}

// hasVariable follows the kubelet's order: envFrom first, then env from first to last,
// where a later entry of a name wins, and $(NAME) takes what was there before.
func hasVariable(c *corev1.Container, p Place) bool {
	var from []string // names by which envFrom gives it
	for _, source := range c.EnvFrom {
		if source.SecretRef != nil && source.SecretRef.Name == p.Secret {
			from = append(from, source.Prefix+p.Key)
		}
	}
	has := map[string]bool{}
	for _, name := range from {
		has[name] = true
	}
	for _, e := range c.Env {
		ref := (*corev1.SecretKeySelector)(nil)
		if e.ValueFrom != nil {
			ref = e.ValueFrom.SecretKeyRef
		}
		has[e.Name] = ref != nil && ref.Name == p.Secret && ref.Key == p.Key || expands(e.Value, has)
	}
	for _, held := range has {
		if held {
			return true
		}
	}
	return false
}

// expands reports whether a value takes one of the variables that have the secret.
func expands(value string, has map[string]bool) bool {
	for name, held := range has {
		if held && strings.Contains(value, "$("+name+")") {
			return true
		}
	}
	return false
}

// mounted reports whether a container has it as a file at its own path, and in a live
// directory.
func mounted(pod *corev1.Pod, c *corev1.Container, places []Place) (file, live bool) {
	for _, m := range c.VolumeMounts {
		i := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		if i < 0 {
			continue
		}
		for _, p := range places {
			path, has := pathIn(&pod.Spec.Volumes[i], p)
			switch {
			case !has:
			case m.SubPathExpr != "":
				file = true // what it expands to cannot be seen
			case m.SubPath == "":
				live = true
			case m.SubPath == path || strings.HasPrefix(path, m.SubPath+"/"):
				file = true // a mount of a directory by subPath does not follow changes either
			}
		}
	}
	return file, live
}

// pathIn returns where a volume has the key of a Secret.
func pathIn(v *corev1.Volume, p Place) (string, bool) {
	if v.Secret != nil && v.Secret.SecretName == p.Secret {
		return itemPath(v.Secret.Items, p.Key)
	}
	if v.Projected == nil {
		return "", false
	}
	for _, source := range v.Projected.Sources {
		if source.Secret != nil && source.Secret.Name == p.Secret {
			if path, has := itemPath(source.Secret.Items, p.Key); has {
				return path, true
			}
		}
	}
	return "", false
}

func itemPath(items []corev1.KeyToPath, key string) (string, bool) {
	if len(items) == 0 {
		return key, true
	}
	i := slices.IndexFunc(items, func(item corev1.KeyToPath) bool { return item.Key == key })
	if i < 0 {
		return "", false
	}
	return items[i].Path, true
}

// WorkloadOf names what made the pod, as kubectl rollout takes it.
func WorkloadOf(pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return "pod/" + pod.Name
	}
	short := map[string]string{"StatefulSet": "sts", "DaemonSet": "ds", "Job": "job"}
	if kind, known := short[owner.Kind]; known {
		return kind + "/" + owner.Name
	}
	// A Deployment's ReplicaSet is named after it and the hash of its template.
	if hash := pod.Labels["pod-template-hash"]; owner.Kind == "ReplicaSet" && hash != "" && strings.HasSuffix(owner.Name, "-"+hash) {
		return "deploy/" + strings.TrimSuffix(owner.Name, "-"+hash)
	}
	return strings.ToLower(owner.Kind) + "/" + owner.Name
}
