// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestOwnWrites_ACacheThatIsBehind_IsWaitedFor(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	cached := func(version string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{ResourceVersion: version}}
	}
	for name, tt := range map[string]struct {
		wrote  *ownWrite
		cached *corev1.Secret
		after  time.Duration
		want   bool
	}{
		"nothing was written":                               {nil, nil, 0, false},
		"the cache has nothing yet":                         {&ownWrite{version: "10"}, nil, 0, true},
		"the cache has an earlier version":                  {&ownWrite{version: "10"}, cached("9"), 0, true}, // as text it is later
		"the cache has it":                                  {&ownWrite{version: "10"}, cached("10"), 0, false},
		"the cache has what somebody wrote after it":        {&ownWrite{version: "10"}, cached("11"), 0, false},
		"the cache still has what was deleted":              {&ownWrite{version: "10", deleted: true}, cached("10"), 0, true},
		"the cache has an earlier version of the deleted":   {&ownWrite{version: "10", deleted: true}, cached("9"), 0, true},
		"the cache has no more what was deleted":            {&ownWrite{version: "10", deleted: true}, nil, 0, false},
		"the cache has what was made after the deletion":    {&ownWrite{version: "10", deleted: true}, cached("12"), 0, false},
		"it is not waited for for ever":                     {&ownWrite{version: "10"}, nil, catchUp + 1, false},
		"a version that is no number is not waited for":     {&ownWrite{version: "x"}, cached("9"), 0, false},
		"what is written last counts, not what came before": {&ownWrite{version: "20"}, cached("10"), 0, true},
		"until the time is over, it is waited for":          {&ownWrite{version: "10"}, nil, catchUp, true},
	} {
		t.Run(name, func(t *testing.T) {
			var o ownWrites
			if tt.wrote != nil {
				tt.wrote.at = at
				o.note("alice", "env", ownWrite{version: "5", at: at})
				o.note("alice", "env", *tt.wrote)
			}
			if got := o.behind("alice", "env", tt.cached, at.Add(tt.after)); got != tt.want {
				t.Errorf("behind = %t, want %t", got, tt.want)
			}
			if o.behind("alice", "files", nil, at) || o.behind("bob", "env", nil, at) {
				t.Error("another bundle is waited for")
			}
			if !tt.want && len(o.last) > 0 {
				t.Error("what is not waited for any more is still remembered")
			}
		})
	}
}

func TestOwnWrites_EventsOfThem_AreExpected(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, tt := range map[string]struct {
		wrote   *ownWrite
		version string
		awaited bool
		want    bool
	}{
		"what this process wrote":                  {&ownWrite{version: "10"}, "10", false, true},
		"what was there before it":                 {&ownWrite{version: "10"}, "9", false, true},
		"what somebody wrote after it":             {&ownWrite{version: "10"}, "11", false, false},
		"what this process wrote, and is awaited":  {&ownWrite{version: "10"}, "10", true, false},
		"what this process deleted":                {&ownWrite{version: "10", deleted: true}, "10", false, false},
		"a bundle that this process did not write": {nil, "10", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var o ownWrites
			if tt.wrote != nil {
				tt.wrote.at = at
				o.note("alice", "env", *tt.wrote)
			}
			if tt.awaited && !o.behind("alice", "env", nil, at) {
				t.Fatal("it is not waited for")
			}
			if got := o.expected("alice", "env", tt.version); got != tt.want {
				t.Errorf("expected = %t, want %t", got, tt.want)
			}
			if tt.version == "10" && o.expected("alice", "env", "10") {
				t.Error("it is expected a second time")
			}
		})
	}
}
