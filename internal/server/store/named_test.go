// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

func TestAWatchSaysNothingOfAnotherNamespace(t *testing.T) {
	in := func(namespace, version string) *v1alpha1.UserSecret {
		o := at(version)
		o.Namespace = namespace
		return o
	}
	c := &core{trackers: newTrackers([]string{"alice", "shop-prod"})}
	c.trackers.OnAdd(in("shop-prod", "9"), false)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		namespace, version string
		want               error
	}{
		"a write that its watch has come to":             {"shop-prod", "9", nil},
		"an older write in a namespace without an event": {"alice", "7", ErrUnavailable},
		"a write where this replica answers nobody":      {"bob", "10", nil},
	} {
		if err := c.untilSeen(ended, versionMark(in(tt.namespace, tt.version))); !errors.Is(err, tt.want) {
			t.Errorf("%s: Seen = %v, want %v", name, err, tt.want)
		}
	}
	c.trackers.OnUpdate(nil, in("alice", "7"))
	if err := c.untilSeen(ended, versionMark(in("alice", "7"))); err != nil {
		t.Errorf("the write has come: Seen = %v", err)
	}
	c.trackers.OnAdd(in("bob", "8"), false) // of no interest, and no panic
}

// TestNamedTenantsAreAsSafe has a cache that watches each namespace by itself, so what it
// knows of one says nothing of the other.
func TestNamedTenantsAreAsSafe(t *testing.T) {
	for range rounds {
		tenants := []string{"alice", "shop-prod"}
		_, users := startUsers(t, limits.DefaultUser(), tenants...)
		var results [2][]error
		for i := range results {
			results[i] = make([]error, 8)
		}
		together(t, 16, func(ctx context.Context, i int) error {
			n := NewUser{Name: fmt.Sprint("s", i), EnvName: "SAME"}
			_, results[i%2][i/2] = users.Create(ctx, tenants[i%2], []NewUser{n})
			if results[i%2][i/2] == nil { // a reader after the answer
				if _, err := users.cachedNamed(ctx, tenants[i%2], n.Name); err != nil {
					t.Errorf("%s in %s was acknowledged and is not there: %v", n.Name, tenants[i%2], err)
				}
			}
			return nil
		})
		one(t, results[0], conflictOn(v1alpha1.ClaimEnv))
		one(t, results[1], conflictOn(v1alpha1.ClaimEnv))
	}
}
