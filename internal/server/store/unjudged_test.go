// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// A client that leaves amid its write does not learn what became of it. Others may have
// read it by then, so it stays.
func TestWrites_ClientLeavesBeforeTheAnswer_AreNotUndone(t *testing.T) {
	// leaving returns the context of a client that goes away while the cache sees nothing new.
	leaving := func(api *apiServer) context.Context {
		api.mu.Lock()
		defer api.mu.Unlock()
		api.stopped = true
		ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
		t.Cleanup(leave)
		return ctx
	}

	t.Run("an agent secret", func(t *testing.T) {
		api, agents := startAgents(t)
		a, err := agents.Create(t.Context(), "prod", newAgent(t, "db.key"))
		if err != nil {
			t.Fatal(err)
		}
		longer := seal.ValueOf(`"longer"`)
		if _, err := agents.Update(leaving(api), a, 0, AgentChange{Set: &longer}); !errors.Is(err, errUnjudged) {
			t.Errorf("the update is answered with %v", err)
		}
		live := &v1alpha1.AgentSecret{}
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(a), live); err != nil || live.Spec.SealedValue != sealedOf(longer.Len()) {
			t.Errorf("the secret has %q, %v, want the value that was written", live.Spec.SealedValue, err)
		}
	})
	t.Run("a user secret", func(t *testing.T) {
		api, users := startUsers(t, limits.DefaultUser())
		if _, err := users.Create(leaving(api), "alice", []NewUser{{Name: "a"}}); !errors.Is(err, errUnjudged) {
			t.Errorf("the creation is answered with %v", err)
		}
		if got := api.users(); len(got) != 1 {
			t.Errorf("there are %v, want the one that was created", got)
		}
	})
}
