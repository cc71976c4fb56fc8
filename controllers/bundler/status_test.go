// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// A field that is forgotten there would never be written again.
func TestIdentical_OneFieldDiffers_IsFalse(t *testing.T) {
	changed := metav1.NewMicroTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	full := v1alpha1.SecretStatus{
		ObservedGeneration: 1,
		ObservedUID:        "uid",
		Conditions:         []metav1.Condition{{Type: v1alpha1.ConditionReady}},
		Env:                &v1alpha1.Landing{Key: "A"},
		File:               &v1alpha1.Landing{Key: "a"},
		Source:             &v1alpha1.SecretKeyRef{Key: "k"},
		Value:              &v1alpha1.ValueStatus{ChangedAt: &changed},
		Claims:             []v1alpha1.Claim{{Kind: v1alpha1.ClaimName, Value: "a", Since: "1"}},
	}
	if !identical(&full, &full) {
		t.Error("a status is not identical to itself")
	}
	for i := range reflect.TypeFor[v1alpha1.SecretStatus]().NumField() {
		field := reflect.TypeFor[v1alpha1.SecretStatus]().Field(i).Name
		other := *full.DeepCopy()
		other.Value = full.Value // a time is compared by its place
		if !identical(&full, &other) {
			t.Fatalf("before %s, a copy differs", field)
		}
		if reflect.ValueOf(full).Field(i).IsZero() {
			t.Errorf("%s has no value in this test", field)
		}
		reflect.ValueOf(&other).Elem().Field(i).SetZero()
		if identical(&full, &other) || identical(&other, &full) {
			t.Errorf("a status without %s is called identical", field)
		}
	}
}
