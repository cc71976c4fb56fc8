// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/claim"
)

var schemaKind = schema.GroupKind{Kind: "Secret"}

func TestUpToDate(t *testing.T) {
	cached := func(mac, annotation, label string) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Labels: map[string]string{v1alpha1.LabelBundle: label}, Annotations: map[string]string{v1alpha1.AnnotationMAC: annotation},
			},
			StringData: map[string]string{CachedMAC: mac},
		}
	}
	for name, tt := range map[string]struct {
		existing *corev1.Secret
		mac      string
		want     bool
	}{
		"no bundle is wanted and none is there": {nil, "", true},
		"no bundle is wanted and one is there":  {cached("m", "m", "user"), "", false},
		"a bundle is wanted and none is there":  {nil, "m", false},
		"the bundle has the content":            {cached("m", "m", "user"), "m", true},
		"the bundle has other content":          {cached("n", "m", "user"), "m", false},
		"the annotation was changed":            {cached("m", "n", "user"), "m", false},
		"the label was changed":                 {cached("m", "m", "agent"), "m", false},
		"data that is named like the digest is no digest": {
			&corev1.Secret{ObjectMeta: cached("m", "m", "user").ObjectMeta, Data: map[string][]byte{CachedMAC: []byte("m")}}, "m", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := upToDate(tt.existing, tt.mac, "user"); got != tt.want {
				t.Errorf("upToDate = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestOutcomeOf(t *testing.T) {
	env := &v1alpha1.Landing{SecretName: "latchkey-user-env", Key: "A"}
	file := &v1alpha1.Landing{SecretName: "latchkey-user-files", Key: "a"}
	projected := bundle.Outcome{Ready: true, Reason: v1alpha1.ReasonProjected, Env: env, File: file}
	disabled := bundle.Outcome{Ready: true, Reason: v1alpha1.ReasonDisabled}
	for name, tt := range map[string]struct {
		decided bundle.Outcome
		special map[types.UID]bundle.Outcome
		blocked map[string]bool
		want    bundle.Outcome
	}{
		"what was decided, if nothing else came up":   {decided: projected, want: projected},
		"what the value came to goes before":          {projected, map[types.UID]bundle.Outcome{"1": bundle.Unsealable()}, nil, bundle.Unsealable()},
		"what another's value came to does not count": {projected, map[types.UID]bundle.Outcome{"2": bundle.Unsealable()}, nil, projected},
		"a blocked bundle of variables":               {projected, nil, map[string]bool{"latchkey-user-env": true}, bundle.Blocked("latchkey-user-env")},
		"a blocked bundle of files":                   {projected, nil, map[string]bool{"latchkey-user-files": true}, bundle.Blocked("latchkey-user-files")},
		"a blocked bundle that it is not in":          {disabled, nil, map[string]bool{"latchkey-user-env": true}, disabled},
		"a failure says more than a blocked bundle": {
			projected, map[types.UID]bundle.Outcome{"1": bundle.Unsealable()}, map[string]bool{"latchkey-user-env": true}, bundle.Unsealable(),
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scope{memo: &memo{outcomes: tt.special}, blocked: tt.blocked}
			d := bundle.Decision{Item: bundle.Item{Holder: claim.Holder{UID: "1"}}, Outcome: tt.decided}
			if diff := cmp.Diff(tt.want, outcomeOf(s, d)); diff != "" {
				t.Errorf("outcomeOf (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSetStatus(t *testing.T) {
	old := metav1.NewTime(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	env := &v1alpha1.Landing{SecretName: "latchkey-user-env", Key: "A"}
	it := bundle.Item{Holder: claim.Holder{
		ResourceVersion: "9", Claims: []claim.Claim{{Kind: v1alpha1.ClaimName, Value: "a"}, {Kind: v1alpha1.ClaimEnv, Value: "A"}},
		Recorded: []v1alpha1.Claim{{Kind: v1alpha1.ClaimName, Value: "a", Since: "3"}, {Kind: v1alpha1.ClaimFile, Value: "/gone", Since: "4"}},
	}}
	ready := func(status metav1.ConditionStatus, generation int64, reason, message string) []metav1.Condition {
		return []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: status, ObservedGeneration: generation, Reason: reason, Message: message, LastTransitionTime: old,
		}}
	}
	claims := []v1alpha1.Claim{{Kind: v1alpha1.ClaimName, Value: "a", Since: "3"}, {Kind: v1alpha1.ClaimEnv, Value: "A", Since: "9"}}
	projected := bundle.Outcome{Ready: true, Reason: v1alpha1.ReasonProjected, Message: "m", Env: env}
	for name, tt := range map[string]struct {
		before    v1alpha1.SecretStatus
		outcome   bundle.Outcome
		want      v1alpha1.SecretStatus
		wantMoved bool
	}{
		"a first status is whole": {
			outcome: projected, wantMoved: true,
			want: v1alpha1.SecretStatus{ObservedGeneration: 2, Conditions: ready("True", 2, "Projected", "m"), Env: env, Claims: claims},
		},
		"another message of the same status leaves the time of the transition": {
			before:  v1alpha1.SecretStatus{Conditions: ready("True", 1, "StoredWithoutTarget", "n")},
			outcome: projected,
			want:    v1alpha1.SecretStatus{ObservedGeneration: 2, Conditions: ready("True", 2, "Projected", "m"), Env: env, Claims: claims},
		},
		"what does not land any more is forgotten": {
			before:  v1alpha1.SecretStatus{Conditions: ready("True", 2, "Projected", "m"), Env: env, File: env},
			outcome: bundle.Unsealable(), wantMoved: true,
			want: v1alpha1.SecretStatus{
				ObservedGeneration: 2, Conditions: ready("False", 2, "Unsealable", bundle.Unsealable().Message), Claims: claims,
			},
		},
		"conditions of others stay": {
			before:  v1alpha1.SecretStatus{Conditions: append([]metav1.Condition{{Type: "Theirs"}}, ready("True", 1, "Projected", "m")...)},
			outcome: projected,
			want: v1alpha1.SecretStatus{
				ObservedGeneration: 2, Env: env, Claims: claims,
				Conditions: append([]metav1.Condition{{Type: "Theirs"}}, ready("True", 2, "Projected", "m")...),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := tt.before.DeepCopy()
			setStatus(got, 2, it, tt.outcome)
			if diff := cmp.Diff(&tt.want, got, cmpopts.IgnoreFields(metav1.Condition{}, "LastTransitionTime")); diff != "" {
				t.Errorf("setStatus (-want +got):\n%s", diff)
			}
			last := got.Conditions[len(got.Conditions)-1]
			if moved := !last.LastTransitionTime.Equal(&old); moved != tt.wantMoved {
				t.Errorf("the time of the transition moved: %t, want %t", moved, tt.wantMoved)
			}
			again := got.DeepCopy()
			setStatus(again, 2, it, tt.outcome)
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("the same outcome changes the status (-first +second):\n%s", diff)
			}
		})
	}
}

func TestAnnounce(t *testing.T) {
	is := func(status metav1.ConditionStatus, reason string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: "100% of it"}}
	}
	for name, tt := range map[string]struct {
		before, after []metav1.Condition
		want          []string
	}{
		"a new object that is ready is no news":         {nil, is("True", "Projected"), nil},
		"a new object that is not ready is news":        {nil, is("False", "Conflict"), []string{"a Warning Conflict Project: 100% of it"}},
		"the same reason again is no news":              {is("False", "Conflict"), is("False", "Conflict"), nil},
		"another reason is news":                        {is("False", "Conflict"), is("False", "Unsealable"), []string{"a Warning Unsealable Project: 100% of it"}},
		"an object that stops being ready is news":      {is("True", "Projected"), is("False", "Conflict"), []string{"a Warning Conflict Project: 100% of it"}},
		"an object that is ready again is news":         {is("False", "Conflict"), is("True", "Projected"), []string{"a Normal Projected Project: 100% of it"}},
		"an object that is ready in another way is not": {is("True", "Projected"), is("True", "Disabled"), nil},
		"no condition is no news":                       {is("True", "Projected"), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.reconciler().announce(&v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, tt.before, tt.after)
			if diff := cmp.Diff(tt.want, c.events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNote(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"a short message is the note":       {"hello", "hello"},
		"1024 bytes fit":                    {strings.Repeat("x", 1024), strings.Repeat("x", 1024)},
		"more are cut":                      {strings.Repeat("x", 1025), strings.Repeat("x", 1021) + "..."},
		"characters are cut whole":          {strings.Repeat("x", 1020) + strings.Repeat("é", 9), strings.Repeat("x", 1020) + "..."},
		"bytes are counted, not characters": {strings.Repeat("é", 600), strings.Repeat("é", 510) + "..."},
	} {
		t.Run(name, func(t *testing.T) {
			got := note(tt.in)
			if got != tt.want || len(got) > 1024 || !utf8.ValidString(got) {
				t.Errorf("note has %d bytes: %q, want %q", len(got), got, tt.want)
			}
		})
	}
}

func TestMemos(t *testing.T) {
	var ms memos
	if ms.get("a") != nil {
		t.Error("an empty memory remembers")
	}
	ms.forget("a")
	waiting := map[types.UID]bundle.Outcome{"1": bundle.Unsealable(), "2": bundle.KeyNotFound("k")}
	ms.put("waits", &memo{outcomes: waiting})
	ms.put("broken", &memo{outcomes: map[types.UID]bundle.Outcome{"1": bundle.Unsealable()}})
	ms.put("fine", &memo{})
	ms.put("gone", &memo{outcomes: waiting})
	ms.forget("gone")
	if diff := cmp.Diff([]string{"waits"}, ms.forgetWaiting()); diff != "" {
		t.Errorf("forgetWaiting (-want +got):\n%s", diff)
	}
	if ms.get("waits") != nil || ms.get("broken") == nil || ms.get("fine") == nil || ms.get("gone") != nil {
		t.Error("the wrong tenants are remembered")
	}
	if got := ms.forgetWaiting(); len(got) > 0 {
		t.Errorf("%v still wait", got)
	}
}
