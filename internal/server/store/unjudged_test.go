// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

// An answer that says that nothing was done, where something was, would be a lie: what
// is refused and cannot be taken back is not known to be gone.
func TestUnlessUnjudged_WhatCannotBeUndone_IsNotRefused(t *testing.T) {
	conflict := &ConflictError{Conflicts: []Conflict{{Claim: v1alpha1.ClaimPath}}}
	away := errors.New("the API server is away")
	for name, tt := range map[string]struct {
		err, undo     error
		wantRefused   bool
		wantAvailable bool
	}{
		"what is undone was refused":          {conflict, nil, true, true},
		"what is not undone may be there":     {conflict, away, false, false},
		"what nobody looked at is not undone": {errUnjudged, away, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := unlessUnjudged(tt.err, func() error { return tt.undo })
			var refused *ConflictError
			if is := errors.As(got, &refused); is != tt.wantRefused {
				t.Errorf("refused: %t, want %t", is, tt.wantRefused)
			}
			if is := !errors.Is(got, ErrUnavailable); is != tt.wantAvailable {
				t.Errorf("available: %t, want %t", is, tt.wantAvailable)
			}
		})
	}
}

// A refusal that is misread: of an import that the cluster does not let be committed nothing
// stays, else its names would be taken by what nobody sees. One that is committed was not
// refused.
func TestCreate_AnImportThatIsRefused_LeavesNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		refuse      int // the number of the patch from which on they are refused
		wantRefused bool
		wantLeft    int
	}{
		"before it is committed": {1, true, 0},
		"when it is committed":   {2, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			api, users := startUsers(t, limits.DefaultUser())
			patches := 0
			api.refuse = func(verb string, obj client.Object) error {
				if verb == "patch" {
					if patches++; patches >= tt.refuse {
						return apierrors.NewForbidden(group, obj.GetName(), errors.New("a policy"))
					}
				}
				return nil
			}
			_, err := users.Create(t.Context(), "alice", []NewUser{{Name: "a"}, {Name: "b"}})
			var refused *RefusedError
			if is := errors.As(err, &refused); is != tt.wantRefused || errors.Is(err, ErrUnavailable) == is {
				t.Errorf("the import is answered with %v", err)
			}
			if left := api.users(); len(left) != tt.wantLeft {
				t.Errorf("%d objects are left, want %d", len(left), tt.wantLeft)
			}
		})
	}
}
