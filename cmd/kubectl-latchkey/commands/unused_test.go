// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

func TestUsedBy_NoPods_UntilTheControllerTookTheValueOut(t *testing.T) {
	const notYet = "t is not out of the native Secrets yet"
	disabled := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonDisabled}
	ready := disabled
	ready.Status, ready.Reason = metav1.ConditionTrue, v1alpha1.ReasonProjected
	for name, tt := range map[string]struct {
		conditions []metav1.Condition
		generation int64
		want       string
	}{
		"the controller has not looked at it": {nil, 0, notYet},
		"still projected":                     {[]metav1.Condition{ready}, 2, notYet},
		"disabled at an earlier generation":   {[]metav1.Condition{disabled}, 1, notYet},
		"disabled":                            {[]metav1.Condition{disabled}, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			now := metav1.NewTime(time.Now())
			s := &v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{
				Name: "t", Generation: 2,
				ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "latchkey", Subresource: "status", Time: &now}},
			}}
			s.Status.Conditions, s.Status.ObservedGeneration = tt.conditions, tt.generation
			if got := usedBy(nil, cluster.Item{User: s}, nil, nil); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
