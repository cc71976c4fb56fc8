// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

func TestSlim(t *testing.T) {
	const kubectls = "kubectl.kubernetes.io/last-applied-configuration"
	object := func(annotations map[string]string) *v1alpha1.UserSecret {
		return &v1alpha1.UserSecret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "alice", Name: "a", UID: "1", ResourceVersion: "2", Generation: 3, Annotations: annotations,
				Labels: map[string]string{"x": "y"},
			},
			Spec: v1alpha1.UserSecretSpec{EnvName: "A", SealedValue: "lk1."},
		}
	}
	managed := func(o *v1alpha1.UserSecret) *v1alpha1.UserSecret {
		o.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
		return o
	}
	for name, tt := range map[string]struct{ in, want any }{
		"managers go": {managed(object(nil)), object(nil)},
		"kubectl's copy goes and other notes stay":    {object(map[string]string{kubectls: "{}", "a": "b"}), object(map[string]string{"a": "b"})},
		"an object with nothing to drop stays":        {object(map[string]string{"a": "b"}), object(map[string]string{"a": "b"})},
		"the last known state of a deleted one stays": {toolscache.DeletedFinalStateUnknown{Key: "k"}, toolscache.DeletedFinalStateUnknown{Key: "k"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := tt.in
			for range 2 { // informers may transform an object twice
				var err error
				if got, err = slim(got); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("slim (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestBrief_Projected_HasNoSealedValue(t *testing.T) {
	text := "lk1.0123456789abcdef." + strings.Repeat("A", 1600)
	for name, tt := range map[string]struct {
		observed int64
		ready    metav1.ConditionStatus
		want     string
	}{
		"projected as it is":           {3, metav1.ConditionTrue, seal.Brief(text)},
		"projected as it was":          {2, metav1.ConditionTrue, text},
		"not projected":                {3, metav1.ConditionFalse, text},
		"nobody has looked at it, yet": {0, "", text},
	} {
		t.Run(name, func(t *testing.T) {
			st := v1alpha1.SecretStatus{ObservedGeneration: tt.observed}
			if tt.ready != "" {
				st.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: tt.ready}}
			}
			meta := metav1.ObjectMeta{Name: "a", Generation: 3, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}}
			user := &v1alpha1.UserSecret{ObjectMeta: meta, Spec: v1alpha1.UserSecretSpec{SealedValue: text}, Status: st}
			agent := &v1alpha1.AgentSecret{ObjectMeta: meta, Spec: v1alpha1.AgentSecretSpec{SealedValue: text}, Status: st}
			transform := Controller(nil, nil).DefaultTransform
			for _, obj := range []client.Object{user, agent, user, agent} { // informers may transform an object twice
				if _, err := transform(obj); err != nil {
					t.Fatal(err)
				}
				if obj.GetManagedFields() != nil {
					t.Error("the managers stayed")
				}
			}
			if user.Spec.SealedValue != tt.want || agent.Spec.SealedValue != tt.want {
				t.Errorf("the cache has %.24q and %.24q, want %.24q", user.Spec.SealedValue, agent.Spec.SealedValue, tt.want)
			}
		})
	}
}

func TestServer_SealedValues_AreBriefForUsersAlone(t *testing.T) {
	text := "lk1.0123456789abcdef." + strings.Repeat("A", 1600)
	user := &v1alpha1.UserSecret{Spec: v1alpha1.UserSecretSpec{SealedValue: text}}
	agent := &v1alpha1.AgentSecret{Spec: v1alpha1.AgentSecretSpec{SealedValue: text}}
	transform := Server(nil, &Watches{}).DefaultTransform
	for _, obj := range []any{user, agent, user, agent, toolscache.DeletedFinalStateUnknown{Key: "k"}} {
		if _, err := transform(obj); err != nil {
			t.Fatal(err)
		}
	}
	if user.Spec.SealedValue != seal.Brief(text) || agent.Spec.SealedValue != text {
		t.Errorf("the cache has %.24q of a user's and %.24q of an agent's value", user.Spec.SealedValue, agent.Spec.SealedValue)
	}
}

func TestNameAndVersion(t *testing.T) {
	full := &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "alice", Name: "a", UID: "1", ResourceVersion: "2", Generation: 3,
			Labels: map[string]string{"x": "y"}, Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: `{"data":{}}`},
			OwnerReferences: []metav1.OwnerReference{{Name: "o"}}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
		},
	}
	want := &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: "a", UID: "1", ResourceVersion: "2"},
	}
	var got any = full
	for range 2 {
		var err error
		if got, err = nameAndVersion(got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(any(want), got); diff != "" {
			t.Errorf("nameAndVersion (-want +got):\n%s", diff)
		}
	}
	if got, err := nameAndVersion("x"); got != "x" || err != nil {
		t.Errorf("nameAndVersion of something else = %v, %v, want it as it is", got, err)
	}
}

// TestTheControllerSeesNoForeignSecret holds the boundary: of full Secrets, only
// those of the bundles' type are asked for, and they pass through the digest.
func TestTheControllerSeesNoForeignSecret(t *testing.T) {
	digested := 0
	options := Controller(func(obj any) (any, error) { digested++; return obj, nil }, nil)
	found := false
	for object, by := range options.ByObject {
		if _, is := object.(*corev1.Secret); !is {
			continue
		}
		found = true
		if by.Field.Matches(fields.Set{"type": "Opaque"}) || !by.Field.Matches(fields.Set{"type": v1alpha1.SecretTypeBundle}) {
			t.Errorf("the selector is %q, want the bundles alone", by.Field)
		}
		if _, err := by.Transform(&corev1.Secret{}); err != nil || digested != 1 {
			t.Errorf("Secrets do not pass through the digest (%v)", err)
		}
	}
	if !found {
		t.Error("Secrets are not restricted")
	}
	if options.DefaultTransform == nil || Server(nil, nil).DefaultTransform == nil {
		t.Error("other objects are not slimmed")
	}
}

func TestMustSelect(t *testing.T) {
	if s := mustSelect("latchkey.dev/x"); !s.Matches(labels.Set{"latchkey.dev/x": ""}) || s.Matches(labels.Set{}) {
		t.Errorf("the selector %q does not ask for the label alone", s)
	}
	defer func() {
		if recover() == nil {
			t.Error("a label that is none does not panic")
		}
	}()
	mustSelect("not a label!")
}

func TestTenantsAreTheNamespacesNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		tenants []string
		want    map[string]cache.Config
	}{
		"all where none is named": {nil, nil},
		"those named":             {[]string{"alice", "shop"}, map[string]cache.Config{"alice": {}, "shop": {}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Only(tt.tenants)); diff != "" {
				t.Errorf("Only (-want +got):\n%s", diff)
			}
			options := Controller(nil, tt.tenants)
			if diff := cmp.Diff(tt.want, options.DefaultNamespaces); diff != "" {
				t.Errorf("Controller sees (-want +got):\n%s", diff)
			}
			for object, by := range options.ByObject {
				if by.Namespaces != nil {
					t.Errorf("%T has namespaces of its own: %v", object, by.Namespaces)
				}
			}
		})
	}
}
