// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/naming"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// rounds is how often a race is run.
const rounds = 10

// startUsers runs the store of the active replica.
func startUsers(t *testing.T, l limits.User, namespaces ...string) (*apiServer, *Users) {
	t.Helper()
	return start(t, func(o Options) (*Users, *core) {
		s, err := NewUsers(t.Context(), o, l)
		if err != nil {
			t.Fatal(err)
		}
		return s, s.core
	}, namespaces...)
}

// one returns the index of the only success, and fails if there is not one or a
// failure is not wanted.
func one(t *testing.T, results []error, wanted func(error) bool) int {
	t.Helper()
	winner := -1
	for i, err := range results {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Fatalf("%d and %d were both acknowledged", winner, i)
		case !wanted(err):
			t.Fatalf("%d failed with %v", i, err)
		}
	}
	if winner < 0 {
		t.Fatalf("nobody was acknowledged: %v", errors.Join(results...))
	}
	return winner
}

func conflictOn(kind v1alpha1.ClaimKind) func(error) bool {
	return func(err error) bool {
		return slices.Contains(problemsOf(err).Conflicts, Conflict{Claim: kind})
	}
}

func TestOfManyThatClaimTheSameOneIsCreated(t *testing.T) {
	for name, tt := range map[string]struct {
		secret func(i int) NewUser
		claim  v1alpha1.ClaimKind
	}{
		"a name":     {func(int) NewUser { return NewUser{Name: "same", Enabled: true} }, v1alpha1.ClaimName},
		"a variable": {func(i int) NewUser { return NewUser{Name: fmt.Sprint("s", i), EnvName: "SAME"} }, v1alpha1.ClaimEnv},
		"a file":     {func(i int) NewUser { return NewUser{Name: fmt.Sprint("s", i), FilePath: "~/same"} }, v1alpha1.ClaimFile},
	} {
		t.Run(name, func(t *testing.T) {
			for range rounds {
				server, users := startUsers(t, limits.DefaultUser())
				results := together(t, 8, func(ctx context.Context, i int) error {
					_, err := users.Create(ctx, "alice", []NewUser{tt.secret(i)})
					return err
				})
				winner := one(t, results, conflictOn(tt.claim))
				n := tt.secret(winner)
				if diff := cmp.Diff([]string{fmt.Sprintf("%s %s %s 0", n.Name, n.EnvName, n.FilePath)}, server.users()); diff != "" {
					t.Fatalf("stored (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestALimitIsReachedAndNotExceeded(t *testing.T) {
	for range rounds {
		server, users := startUsers(t, limits.User{Secrets: 3, ValueBytes: 1 << 20, EnvValueBytes: 1 << 20})
		results := together(t, 9, func(ctx context.Context, i int) error {
			_, err := users.Create(ctx, "alice", []NewUser{{Name: fmt.Sprint("s", i)}})
			return err
		})
		created := 0
		for i, err := range results {
			switch limit := problemsOf(err).Limit; {
			case err == nil:
				created++
			case limit == nil || limit.Kind != limits.Count:
				t.Fatalf("%d failed with %v", i, err)
			}
		}
		if stored := server.users(); created != 3 || len(stored) != 3 {
			t.Fatalf("%d were acknowledged and %q are stored, want 3 of each", created, stored)
		}
	}
}

func TestOfManyUpdatesThatClaimTheSameOneIsMade(t *testing.T) {
	same := "SAME"
	for range rounds {
		server, users := startUsers(t, limits.DefaultUser())
		var want []string
		for i := range 6 {
			if _, err := users.Create(t.Context(), "alice", []NewUser{{Name: fmt.Sprint("s", i), EnvName: fmt.Sprint("E", i)}}); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprintf("s%d E%d  0", i, i))
		}
		results := together(t, 6, func(ctx context.Context, i int) error {
			_, err := users.Update(ctx, "alice", fmt.Sprint("s", i), UserChange{EnvName: &same})
			return err
		})
		winner := one(t, results, conflictOn(v1alpha1.ClaimEnv))
		want[winner] = fmt.Sprintf("s%d SAME  0", winner)
		if diff := cmp.Diff(want, server.users()); diff != "" {
			t.Fatalf("stored (-want +got):\n%s", diff)
		}
	}
}

func TestUpdatesOfOneSecretAreAllMade(t *testing.T) {
	for range rounds {
		server, users := startUsers(t, limits.DefaultUser())
		if _, err := users.Create(t.Context(), "alice", []NewUser{{Name: "s"}}); err != nil {
			t.Fatal(err)
		}
		env, file := "E", "~/f"
		changes := []UserChange{{EnvName: &env}, {FilePath: &file}}
		results := together(t, 2, func(ctx context.Context, i int) error {
			_, err := users.Update(ctx, "alice", "s", changes[i])
			return err
		})
		if err := errors.Join(results...); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"s E ~/f 0"}, server.users()); diff != "" {
			t.Fatalf("stored (-want +got):\n%s", diff)
		}
	}
}

func TestUpdate_ObjectReplacedBehindTheCache_ChangesTheNewOne(t *testing.T) {
	server, users := startUsers(t, limits.DefaultUser())
	created, err := users.Create(t.Context(), "alice", []NewUser{{Name: "token"}})
	if err != nil {
		t.Fatal(err)
	}
	server.mu.Lock()
	server.stopped = true
	server.read = func() { server.stopped = false; server.written.Broadcast() }
	server.mu.Unlock()
	theirs := imported("alice", created[0].Name, "", "")
	theirs.Spec.Name, theirs.Spec.EnvName = "token", "E"
	if err := errors.Join(server.Delete(t.Context(), created[0]), server.Create(t.Context(), &theirs)); err != nil {
		t.Fatal(err)
	}
	file := "~/f"
	got, err := users.Update(t.Context(), "alice", "token", UserChange{FilePath: &file})
	if err != nil || got.UID != theirs.UID {
		t.Fatalf("Update = %+v, %v, want the new object changed", got, err)
	}
	if diff := cmp.Diff([]string{"token E ~/f 0"}, server.users()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func TestUpdate_OtherFieldsThanTheValue_KeepWhatTheCacheLacks(t *testing.T) {
	server, users := startUsers(t, limits.DefaultUser())
	theirs := imported("alice", "token", "", "")
	theirs.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "{}"}
	theirs.Spec.SealedValue = sealedOf(5)
	if err := server.Create(t.Context(), &theirs); err != nil {
		t.Fatal(err)
	}
	env := "E"
	if _, err := users.Update(t.Context(), "alice", "token", UserChange{EnvName: &env}); err != nil {
		t.Fatal(err)
	}
	live := &v1alpha1.UserSecret{}
	if err := server.Get(t.Context(), client.ObjectKeyFromObject(&theirs), live); err != nil {
		t.Fatal(err)
	}
	if live.Spec.EnvName != env || live.Spec.SealedValue != sealedOf(5) || live.Annotations[corev1.LastAppliedConfigAnnotation] != "{}" {
		t.Errorf("stored: %+v", live)
	}
}

func TestImportsThatOverlapAreWholeOrNot(t *testing.T) {
	for range rounds {
		server, users := startUsers(t, limits.DefaultUser())
		results := together(t, 4, func(ctx context.Context, i int) error {
			_, err := users.Create(ctx, "alice", []NewUser{
				{Name: fmt.Sprint("own", i), EnvName: fmt.Sprint("OWN", i)}, {Name: fmt.Sprint("other", i), EnvName: "SAME"},
			})
			return err
		})
		acknowledged := 0
		var want []string
		for i, err := range results {
			if err == nil {
				acknowledged++
				want = append(want, fmt.Sprintf("other%d SAME  0", i), fmt.Sprintf("own%d OWN%d  0", i, i))
			} else if !conflictOn(v1alpha1.ClaimEnv)(err) && problemsOf(err).Conflicts == nil {
				t.Fatalf("%d failed with %v", i, err)
			}
		}
		if acknowledged > 1 {
			t.Fatalf("%d imports of one variable were acknowledged", acknowledged)
		}
		if diff := cmp.Diff(want, server.users()); diff != "" {
			t.Fatalf("stored (-want +got):\n%s", diff)
		}
	}
}

func TestWrites_Acknowledged_AreRead(t *testing.T) {
	_, users := startUsers(t, limits.DefaultUser())
	for i := range rounds {
		name := fmt.Sprint("s", i)
		if _, err := users.Create(t.Context(), "alice", []NewUser{{Name: name}}); err != nil {
			t.Fatal(err)
		}
		if _, err := users.cachedNamed(t.Context(), "alice", name); err != nil {
			t.Fatalf("after the creation: %v", err)
		}
		text := "changed"
		if _, err := users.Update(t.Context(), "alice", name, UserChange{Description: &text}); err != nil {
			t.Fatal(err)
		}
		if u, err := users.cachedNamed(t.Context(), "alice", name); err != nil || u.Spec.Description != text {
			t.Fatalf("after the update: %+v, %v", u, err)
		}
		if _, err := users.Delete(t.Context(), "alice", name); err != nil {
			t.Fatal(err)
		}
		if _, err := users.cachedNamed(t.Context(), "alice", name); !errors.Is(err, ErrNotFound) {
			t.Fatalf("after the deletion: %v", err)
		}
	}
}

func TestASecretOfAnotherNameHoldsNoNameByItsObject(t *testing.T) {
	server, users := startUsers(t, limits.DefaultUser())
	theirs := imported("alice", "token", "", "")
	theirs.Spec.Name = "something else"
	if err := server.Create(t.Context(), &theirs); err != nil {
		t.Fatal(err)
	}
	got, err := users.Create(t.Context(), "alice", []NewUser{{Name: "token"}})
	if err != nil || len(got) != 1 || got[0].Name != naming.Digest("token") || got[0].Spec.Name != "token" {
		t.Errorf("Create = %+v, %v, want an object of another name", got, err)
	}
}

func startAgents(t *testing.T) (*apiServer, *Agents) {
	t.Helper()
	return start(t, func(o Options) (*Agents, *core) {
		s, err := NewAgents(t.Context(), o, limits.Agent{Secrets: 10, ValueBytes: 100, TotalValueBytes: 100})
		if err != nil {
			t.Fatal(err)
		}
		return s, s.core
	})
}

func newAgent(t *testing.T, path string) NewAgent {
	t.Helper()
	typ, err := typedvalue.ParseType([]byte(`{"type":"Str"}`))
	if err != nil {
		t.Fatal(err)
	}
	v := seal.ValueOf(`"x"`)
	return NewAgent{Path: strings.Split(path, "."), Type: typ, Value: &v}
}

func TestOfManyAgentSecretsOfOnePathOneIsCreated(t *testing.T) {
	for range rounds {
		_, agents := startAgents(t)
		n := newAgent(t, "db.key")
		results := together(t, 6, func(ctx context.Context, i int) error {
			_, err := agents.Create(ctx, "prod", n)
			return err
		})
		one(t, results, conflictOn(v1alpha1.ClaimPath))
		{
			s := agents
			if all, err := s.List(t.Context(), "prod"); err != nil || len(all) != 1 || all[0].Spec.Revision != 0 {
				t.Fatalf("a replica has %d, %v, want one at revision 0", len(all), err)
			}
		}
	}
}

func TestOfManyUpdatesOfOneRevisionOneIsMade(t *testing.T) {
	set := seal.ValueOf(`"new"`)
	for name, change := range map[string]AgentChange{
		"a value is set": {Set: &set}, "a value is taken away": {Unset: true}, "nothing but the revision": {},
	} {
		t.Run(name, func(t *testing.T) {
			for range rounds {
				_, agents := startAgents(t)
				a, err := agents.Create(t.Context(), "prod", newAgent(t, "a"))
				if err != nil {
					t.Fatal(err)
				}
				results := together(t, 6, func(ctx context.Context, i int) error {
					_, err := agents.Update(ctx, a, 0, change)
					return err
				})
				one(t, results, func(err error) bool { return errors.Is(err, ErrRevision) })
				{
					s := agents
					if got, err := s.Get(t.Context(), string(a.UID)); err != nil || got.Spec.Revision != 1 {
						t.Fatalf("a replica has %+v, %v, want revision 1", got, err)
					}
				}
			}
		})
	}
}

func TestAnUpdateAndADeletionOfOneRevisionAreNotBothMade(t *testing.T) {
	for range rounds {
		_, agents := startAgents(t)
		a, err := agents.Create(t.Context(), "prod", newAgent(t, "a"))
		if err != nil {
			t.Fatal(err)
		}
		results := together(t, 4, func(ctx context.Context, i int) error {
			if i%2 == 0 {
				_, err := agents.Delete(ctx, a, 0)
				return err
			}
			_, err := agents.Update(ctx, a, 0, AgentChange{})
			return err
		})
		one(t, results, func(err error) bool { return errors.Is(err, ErrRevision) || errors.Is(err, ErrNotFound) })
	}
}

func TestAgentValuesThatTogetherExceedALimitAreTakenBack(t *testing.T) {
	for range rounds {
		_, agents := startAgents(t)
		var all []*v1alpha1.AgentSecret
		for i := range 4 {
			a, err := agents.Create(t.Context(), "prod", newAgent(t, fmt.Sprint("a", i)))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, a)
		}
		large := seal.ValueOf(`"` + strings.Repeat("x", 60) + `"`)
		results := together(t, 4, func(ctx context.Context, i int) error {
			_, err := agents.Update(ctx, all[i], 0, AgentChange{Set: &large})
			return err
		})
		one(t, results, func(err error) bool { l := problemsOf(err).Limit; return l != nil && l.Kind == limits.ValueBytes })
		stored, err := agents.List(t.Context(), "prod")
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, a := range stored {
			sum += bundle.OfAgent(a).Use.ValueBytes
		}
		if sum != 62+3*3 {
			t.Fatalf("%d bytes are stored, want one large value and three small ones", sum)
		}
	}
}
