// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestObjects_TellsWhatComesChangesAndGoes(t *testing.T) {
	secret := func(name, version string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: version}}
	}
	for name, tt := range map[string]struct {
		event func(toolscache.ResourceEventHandler)
		want  []string
	}{
		"a new object":                    {func(h toolscache.ResourceEventHandler) { h.OnAdd(secret("a", "1"), true) }, []string{"seen a1"}},
		"a change":                        {func(h toolscache.ResourceEventHandler) { h.OnUpdate(secret("a", "1"), secret("a", "2")) }, []string{"seen a2"}},
		"a resync is no change":           {func(h toolscache.ResourceEventHandler) { h.OnUpdate(secret("a", "1"), secret("a", "1")) }, nil},
		"a deletion":                      {func(h toolscache.ResourceEventHandler) { h.OnDelete(secret("a", "3")) }, []string{"gone a3"}},
		"a deletion that was missed":      {func(h toolscache.ResourceEventHandler) { h.OnDelete(missed(secret("a", "3"))) }, []string{"gone a3"}},
		"a deletion of an unknown object": {func(h toolscache.ResourceEventHandler) { h.OnDelete(missed(nil)) }, nil},
		"an object of another kind":       {func(h toolscache.ResourceEventHandler) { h.OnAdd(&corev1.ConfigMap{}, true) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			h := handler(
				func(s *corev1.Secret) { got = append(got, "seen "+s.Name+s.ResourceVersion) },
				func(s *corev1.Secret) { got = append(got, "gone "+s.Name+s.ResourceVersion) },
			)
			tt.event(h)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}

func missed(o client.Object) toolscache.DeletedFinalStateUnknown {
	return toolscache.DeletedFinalStateUnknown{Key: "x", Obj: o}
}

func TestObjects_NothingForDeletions_IsNotCalled(t *testing.T) {
	informers := &informertest.FakeInformers{}
	seen := 0
	if err := Objects(t.Context(), informers, &corev1.Secret{}, func(*corev1.Secret) { seen++ }, nil); err != nil {
		t.Fatal(err)
	}
	informer, err := informers.FakeInformerFor(t.Context(), &corev1.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	informer.Add(&corev1.Secret{})
	informer.Delete(&corev1.Secret{})
	if seen != 1 {
		t.Errorf("told of %d objects, want 1", seen)
	}
	informers.Error = errors.New("no informer")
	if err := Objects(t.Context(), informers, &corev1.Secret{}, func(*corev1.Secret) {}, nil); !errors.Is(err, informers.Error) {
		t.Errorf("Objects() = %v, want %v", err, informers.Error)
	}
}
