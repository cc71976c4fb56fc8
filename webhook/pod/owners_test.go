// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Latchkey takes over its users' fields: what admission changes must not stand in the
// way of those who apply the same manifest. Of a list that it changed, nobody is the owner.
func TestOwners_OfAChangedEnvFrom_AreNone(t *testing.T) {
	env := func(names ...string) []corev1.EnvFromSource {
		var out []corev1.EnvFromSource
		for _, n := range names {
			out = append(out, corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: n}}})
		}
		return out
	}
	at := func(second int64) *metav1.Time { return &metav1.Time{Time: time.Unix(second, 0)} }
	manager := func(name, fields string, second int64) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: name, Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(fields), Time: at(second)}
	}
	pod := func(image string, tool, plain []corev1.EnvFromSource, managers ...metav1.ManagedFieldsEntry) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "p", ManagedFields: managers},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "tool", Image: image, EnvFrom: tool}, {Name: "plain", EnvFrom: plain}}},
		}
	}
	const (
		whole = `{"f:spec":{"f:containers":{"k:{\"name\":\"plain\"}":{".":{},"f:envFrom":{},"f:name":{}},"k:{\"name\":\"tool\"}":{".":{},"f:envFrom":{},"f:image":{}}}}}`
		rest  = `{"f:spec":{"f:containers":{"k:{\"name\":\"plain\"}":{".":{},"f:envFrom":{},"f:name":{}},"k:{\"name\":\"tool\"}":{".":{},"f:image":{}}}}}`
		only  = `{"f:spec":{"f:containers":{"k:{\"name\":\"tool\"}":{"f:envFrom":{}}}}}`
	)
	for name, tt := range map[string]struct {
		from, to, stored *corev1.Pod
		want             []metav1.ManagedFieldsEntry
	}{
		"the list that changed is nobody's, all else stays owned": {
			from: pod("a", env("own"), env("other"), manager("one", whole, 1)),
			to:   pod("a", env("bundle", "own"), env("other")),
			want: []metav1.ManagedFieldsEntry{manager("one", rest, 1)},
		},
		"who owned nothing else owns nothing": {
			from: pod("a", env("own"), nil, manager("one", whole, 1), manager("two", only, 2)),
			to:   pod("a", env("bundle", "own"), nil),
			want: []metav1.ManagedFieldsEntry{manager("one", rest, 1)},
		},
		"where nothing changed, nothing is taken": {
			from: pod("a", env("own"), nil, manager("one", whole, 1)),
			to:   pod("a", env("own"), nil),
		},
		"where nobody owned it, nothing is taken": {
			from: pod("a", nil, nil, manager("one", `{"f:spec":{"f:containers":{"k:{\"name\":\"tool\"}":{"f:image":{}}}}}`, 1)),
			to:   pod("a", env("bundle"), nil),
		},
		"who applies again what is there changes nothing": {
			from:   pod("a", env("own"), nil, manager("two", rest, 2), manager("one", whole, 3)),
			to:     pod("a", env("bundle", "own"), nil),
			stored: pod("a", env("bundle", "own"), nil, manager("one", rest, 1), manager("two", rest, 2)),
			want:   []metav1.ManagedFieldsEntry{manager("one", rest, 1), manager("two", rest, 2)},
		},
		"who applies something else is written down": {
			from:   pod("b", env("own"), nil, manager("one", whole, 3)),
			to:     pod("b", env("bundle", "own"), nil),
			stored: pod("a", env("bundle", "own"), nil, manager("one", rest, 1)),
			want:   []metav1.ManagedFieldsEntry{manager("one", rest, 3)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ops := owners(nil, tt.from, tt.to, tt.stored)
			var got []metav1.ManagedFieldsEntry
			for _, op := range ops {
				if managers, is := op.Value.([]metav1.ManagedFieldsEntry); is && op.Path == "/metadata/managedFields" {
					got = managers
				}
			}
			if diff := cmp.Diff(tt.want, got, cmp.Transformer("text", func(f metav1.FieldsV1) string { return string(f.GetRawBytes()) })); diff != "" {
				t.Errorf("managers (-want +got):\n%s", diff)
			}
		})
	}
}
