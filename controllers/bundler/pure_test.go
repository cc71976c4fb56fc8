// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
)

var schemaKind = schema.GroupKind{Kind: "Secret"}

func TestOutcomeWith_ABundleNotWritten_DependsOnWhatItHolds(t *testing.T) {
	env := &v1alpha1.Landing{SecretName: "latchkey-user-env", Key: "A"}
	old := &v1alpha1.Landing{SecretName: "latchkey-user-env", Key: "OLD"}
	file := &v1alpha1.Landing{SecretName: "latchkey-user-files", Key: "a"}
	refused, still := bundle.Refused("latchkey-user-env", "no"), bundle.RefusedRemoval("latchkey-user-env", "no")
	with := func(o bundle.Outcome, env, file *v1alpha1.Landing, earlier bool) bundle.Outcome {
		o.Env, o.File, o.Earlier = env, file, earlier
		return o
	}
	both := bundle.Outcome{Ready: true, Reason: v1alpha1.ReasonProjected, Env: env, File: file}
	fileOnly := bundle.Outcome{Ready: true, Reason: v1alpha1.ReasonProjected, File: file}
	disabled := bundle.Outcome{Ready: true, Reason: v1alpha1.ReasonDisabled}
	for name, tt := range map[string]struct {
		outcome     bundle.Outcome
		was         v1alpha1.SecretStatus
		entries     map[string]bool
		wanted      map[string]bool
		err         error
		want        bundle.Outcome
		wantUnknown bool
	}{
		"a value that is there already is projected": {
			outcome: both, entries: map[string]bool{"A": true}, wanted: map[string]bool{"A": true}, want: both,
		},
		"a value that was never there is not, and its file stays said": {
			outcome: both, wanted: map[string]bool{"A": true}, want: with(refused, nil, file, false),
		},
		"of a value whose earlier one is there, that is said": {
			outcome: both, was: v1alpha1.SecretStatus{Env: env}, entries: map[string]bool{"A": false}, wanted: map[string]bool{"A": true},
			want: with(refused, env, file, true),
		},
		"of a renamed variable, the earlier name is said": {
			outcome: both, was: v1alpha1.SecretStatus{Env: old}, entries: map[string]bool{"OLD": false}, wanted: map[string]bool{"A": true},
			want: with(refused, old, file, true),
		},
		"a value that is to leave and is still there is not disabled yet": {
			outcome: disabled, was: v1alpha1.SecretStatus{Env: env}, entries: map[string]bool{"A": false},
			want: with(still, env, nil, true),
		},
		"a variable that is to leave is still there beside its file": {
			outcome: fileOnly, was: v1alpha1.SecretStatus{Env: env, File: file}, entries: map[string]bool{"A": false},
			want: with(still, env, file, true),
		},
		"a key that another object has by now is not its own": {
			outcome: disabled, was: v1alpha1.SecretStatus{Env: env}, entries: map[string]bool{"A": false}, wanted: map[string]bool{"A": true}, want: disabled,
		},
		"what was never in that bundle is as it is": {outcome: disabled, want: disabled},
		"nothing is said while nothing is known": {
			outcome: both, err: errors.New("timeout"), want: both, wantUnknown: true,
		},
		"of a bundle that it is not in, nothing need be known": {outcome: fileOnly, err: errors.New("timeout"), want: fileOnly},
	} {
		t.Run(name, func(t *testing.T) {
			b := &setback{failures: map[string]*writeFailure{"latchkey-user-env": {
				outcome: refused, removal: still, entries: tt.entries, wanted: tt.wanted, err: tt.err,
			}}}
			got, known := b.outcomeWith(tt.outcome, &tt.was)
			if diff := cmp.Diff(tt.want, got); diff != "" || known == tt.wantUnknown {
				t.Errorf("outcomeWith, known %t (-want +got):\n%s", known, diff)
			}
		})
	}
}

func TestSetStatus(t *testing.T) {
	old := metav1.NewTime(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	env := &v1alpha1.Landing{SecretName: "latchkey-user-env", Key: "A"}
	it := bundle.Item{Secret: policy.Secret{Claimant: claim.Claimant{
		ResourceVersion: "9", Claims: []claim.Claim{{Kind: v1alpha1.ClaimName, Value: "a"}, {Kind: v1alpha1.ClaimEnv, Value: "A"}},
		Recorded: []v1alpha1.Claim{{Kind: v1alpha1.ClaimName, Value: "a", Since: "3"}, {Kind: v1alpha1.ClaimFile, Value: "/gone", Since: "4"}},
	}}}
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
			c.reconciler().announce(&v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, tt.before, tt.after, newsOf(nil))
			if diff := cmp.Diff(tt.want, c.events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnnounce_BundleRefused_IsToldOnce(t *testing.T) {
	is := func(status metav1.ConditionStatus, reason string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: "so"}}
	}
	refused, ready := is("False", v1alpha1.ReasonBundleRefused), is("True", v1alpha1.ReasonProjected)
	conflict := is("False", v1alpha1.ReasonConflict)
	c := newCluster(t)
	r := c.reconciler()
	object := func(name string) *v1alpha1.UserSecret {
		return &v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	lasting := &setback{told: map[string]bool{}}
	for round, news := range []*news{newsOf(lasting), newsOf(lasting)} {
		for _, name := range []string{"a", "b"} {
			r.announce(object(fmt.Sprint(name, round)), ready, refused, news)
			r.announce(object(fmt.Sprint(name, round)), nil, conflict, news)
		}
	}
	healed := newsOf(nil)
	r.announce(object("a"), refused, ready, healed)
	r.announce(object("b"), refused, ready, healed)
	r.announce(object("c"), ready, refused, newsOf(&setback{told: map[string]bool{}}))
	want := []string{
		"a0 Warning BundleRefused Project: so", "a0 Warning Conflict Project: so", "b0 Warning Conflict Project: so",
		"a1 Warning Conflict Project: so", "b1 Warning Conflict Project: so",
		"a Normal Projected Project: so", "c Warning BundleRefused Project: so",
	}
	if diff := cmp.Diff(want, c.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestBounded(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"a short text stays":                {"hello", "hello"},
		"1024 bytes fit":                    {strings.Repeat("x", 1024), strings.Repeat("x", 1024)},
		"more are cut":                      {strings.Repeat("x", 1025), strings.Repeat("x", 1021) + "..."},
		"characters are cut whole":          {strings.Repeat("x", 1020) + strings.Repeat("é", 9), strings.Repeat("x", 1020) + "..."},
		"bytes are counted, not characters": {strings.Repeat("é", 600), strings.Repeat("é", 510) + "..."},
	} {
		t.Run(name, func(t *testing.T) {
			got := bounded(tt.in, 1024)
			if got != tt.want || len(got) > 1024 || !utf8.ValidString(got) {
				t.Errorf("bounded has %d bytes: %q, want %q", len(got), got, tt.want)
			}
		})
	}
}

// A refusal that nobody sees: the API server takes no longer message, so it would take no
// status at all.
func TestSetStatus_AMessageTooLong_IsCut(t *testing.T) {
	st := &v1alpha1.SecretStatus{}
	setStatus(st, 1, bundle.Item{}, bundle.Outcome{Reason: v1alpha1.ReasonTypeMismatch, Message: strings.Repeat("x", 40<<10)})
	if got := len(st.Conditions[0].Message); got != 32768 {
		t.Errorf("the message has %d bytes, want the 32768 that the definition lets in", got)
	}
}

func TestMemos(t *testing.T) {
	var ms memos
	if ms.get("a") != nil {
		t.Error("an empty memory remembers")
	}
	ms.forget("a")
	lost, broken := bundle.KeyNotFound("k"), bundle.Unsealable()
	waiting := map[types.UID]knowledge{"1": {known: bundle.Known{Failure: &broken}}, "2": {known: bundle.Known{Failure: &lost}}}
	ms.put("waits", &memo{known: waiting})
	ms.put("broken", &memo{known: map[types.UID]knowledge{"1": {known: bundle.Known{Failure: &broken}}}})
	ms.put("fine", &memo{})
	ms.put("gone", &memo{known: waiting})
	ms.forget("gone")
	if diff := cmp.Diff([]string{"waits"}, ms.forgetWaiting()); diff != "" {
		t.Errorf("forgetWaiting (-want +got):\n%s", diff)
	}
	if ms.get("waits") != nil || ms.get("broken") == nil || ms.get("fine") != nil || ms.get("gone") != nil {
		t.Error("the wrong tenants are remembered")
	}
	if got := ms.forgetWaiting(); len(got) > 0 {
		t.Errorf("%v still wait", got)
	}
}
