// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/webhook/sealing"
)

// An envFrom is owned as a whole. What admission makes of one is not what its owner
// applied, so the owner would be in the way of everybody else who applies the same
// manifest. Nobody owns it then. Nothing is lost: in a pod that exists, it cannot change.
// Volumes and mounts are owned one by one, and nobody owns those that are added.

// owners appends what takes the lists that admission changed from their owners. Stored is
// the pod that is replaced, or nil.
func owners(ops []operation, from, to, stored *corev1.Pod) []operation {
	changed := map[string]map[string]bool{}
	note(changed, "f:initContainers", from.Spec.InitContainers, to.Spec.InitContainers)
	note(changed, "f:containers", from.Spec.Containers, to.Spec.Containers)
	if len(changed) == 0 {
		return ops
	}
	cleaned, found := make([]metav1.ManagedFieldsEntry, 0, len(from.ManagedFields)), false
	for _, m := range from.ManagedFields {
		fields, owned := withoutEnvFrom(m.FieldsV1, changed)
		found = found || owned
		m.FieldsV1 = fields
		if fields != nil {
			cleaned = append(cleaned, m)
		}
	}
	if !found || len(cleaned) == 0 {
		return ops
	}
	// The API server has noted that somebody changed something just now, since the manifest
	// differed until admission mended it. Where nothing else differs, nothing changes.
	if stored != nil && sealing.SameManagers(cleaned, stored.ManagedFields) && samePod(stored, to) {
		cleaned = stored.ManagedFields
	}
	return append(ops, operation{Op: "add", Path: "/metadata/managedFields", Value: cleaned})
}

// note notes the containers whose envFrom differs, as the API server names them in sets
// of fields.
func note(changed map[string]map[string]bool, list string, from, to []corev1.Container) {
	for i := range from {
		if equality.Semantic.DeepEqual(from[i].EnvFrom, to[i].EnvFrom) {
			continue
		}
		key, err := json.Marshal(map[string]string{"name": from[i].Name})
		if err != nil {
			continue // a name can always be written
		}
		if changed[list] == nil {
			changed[list] = map[string]bool{}
		}
		changed[list]["k:"+string(key)] = true
	}
}

// withoutEnvFrom returns a set of fields without the changed lists, and whether it had
// any. It is nil where nothing is left.
func withoutEnvFrom(owned *metav1.FieldsV1, changed map[string]map[string]bool) (rest *metav1.FieldsV1, found bool) {
	var fields, spec map[string]json.RawMessage
	if owned == nil || json.Unmarshal(owned.GetRawBytes(), &fields) != nil || json.Unmarshal(fields["f:spec"], &spec) != nil {
		return owned, false
	}
	for list, keys := range changed {
		var items map[string]json.RawMessage
		if json.Unmarshal(spec[list], &items) != nil {
			continue
		}
		inList := false
		for key, raw := range items {
			var item map[string]json.RawMessage
			if !keys[key] || json.Unmarshal(raw, &item) != nil || item["f:envFrom"] == nil {
				continue
			}
			delete(item, "f:envFrom")
			put(items, key, item)
			inList = true
		}
		if inList {
			put(spec, list, items)
			found = true
		}
	}
	if !found {
		return owned, false
	}
	if put(fields, "f:spec", spec); len(fields) == 0 {
		return nil, true
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return owned, false // it was read a moment ago
	}
	return metav1.NewFieldsV1(string(raw)), true
}

// put puts a set into the one around it. An empty set would stand for its parent, so it is
// left out.
func put(around map[string]json.RawMessage, name string, set map[string]json.RawMessage) {
	delete(around, name)
	if raw, err := json.Marshal(set); err == nil && len(set) > 0 {
		around[name] = raw
	}
}

// samePod reports whether a pod is the stored one, but for what an update cannot change
// and the managers.
func samePod(stored, to *corev1.Pod) bool {
	meta := func(p *corev1.Pod) metav1.ObjectMeta {
		m := p.ObjectMeta
		m.ManagedFields, m.ResourceVersion, m.Generation = nil, "", 0
		return m
	}
	return equality.Semantic.DeepEqual(stored.Spec, to.Spec) && equality.Semantic.DeepEqual(meta(stored), meta(to))
}
