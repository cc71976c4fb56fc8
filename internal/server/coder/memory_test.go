// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// memory is the contract's semantics of storage in memory: unique claims,
// limits over plaintext bytes, all or nothing. It counts what it is asked.
type memory struct {
	mu      sync.Mutex
	byUser  map[string]map[string]NewSecret // namespace, name
	touched int
	fail    error // answered to everything, if set
}

func newMemory() *memory { return &memory{byUser: map[string]map[string]NewSecret{}} }

func (m *memory) enter(t Tenant) (map[string]NewSecret, error) {
	m.touched++
	if m.byUser[t.Namespace] == nil {
		m.byUser[t.Namespace] = map[string]NewSecret{}
	}
	return m.byUser[t.Namespace], m.fail
}

func show(s NewSecret) Secret {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return Secret{
		ID: fmt.Sprintf("00000000-0000-4000-8000-%012x", len(s.Name)), Name: s.Name, Description: s.Description,
		EnvName: s.EnvName, FilePath: s.FilePath, Enabled: s.Enabled, CreatedAt: at, UpdatedAt: at,
	}
}

func (m *memory) List(_ context.Context, t Tenant) ([]Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	secrets, err := m.enter(t)
	var out []Secret
	for _, s := range secrets {
		out = append(out, show(s))
	}
	return out, err
}

func (m *memory) Get(_ context.Context, t Tenant, name string) (Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	secrets, err := m.enter(t)
	if err != nil {
		return Secret{}, err
	}
	s, ok := secrets[name]
	if !ok {
		return Secret{}, store.ErrNotFound
	}
	return show(s), nil
}

func (m *memory) Create(_ context.Context, t Tenant, created []NewSecret) ([]Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	secrets, err := m.enter(t)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(slices.Collect(valuesOf(secrets)), created)
	if err := errors.Join(limitsOf(all), conflictsOf(secrets, created)); err != nil {
		return nil, err
	}
	out := make([]Secret, 0, len(created))
	for _, s := range created {
		secrets[s.Name] = s
		out = append(out, show(s))
	}
	return out, nil
}

func (m *memory) Update(_ context.Context, t Tenant, name string, c Change) (Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	secrets, err := m.enter(t)
	if err != nil {
		return Secret{}, err
	}
	s, ok := secrets[name]
	if !ok {
		return Secret{}, store.ErrNotFound
	}
	set(&s.Value, c.Value)
	set(&s.Description, c.Description)
	set(&s.EnvName, c.EnvName)
	set(&s.FilePath, c.FilePath)
	set(&s.Enabled, c.Enabled)
	others := map[string]NewSecret{}
	for _, other := range secrets {
		if other.Name != name {
			others[other.Name] = other
		}
	}
	all := append(slices.Collect(valuesOf(others)), s)
	if err := errors.Join(limitsOf(all), conflictsOf(others, []NewSecret{s})); err != nil {
		return Secret{}, err
	}
	secrets[name] = s
	return show(s), nil
}

func (m *memory) Delete(_ context.Context, t Tenant, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	secrets, err := m.enter(t)
	if err != nil {
		return err
	}
	if _, ok := secrets[name]; !ok {
		return store.ErrNotFound
	}
	delete(secrets, name)
	return nil
}

func set[T any](field, to *T) {
	if to != nil {
		*field = *to
	}
}

func valuesOf(m map[string]NewSecret) func(func(NewSecret) bool) {
	return func(yield func(NewSecret) bool) {
		for _, s := range m {
			if !yield(s) {
				return
			}
		}
	}
}

func limitsOf(all []NewSecret) error {
	values, envValues := 0, 0
	for _, s := range all {
		values += s.Value.Len()
		if s.EnvName != "" {
			envValues += s.Value.Len()
		}
	}
	switch {
	case len(all) > 50:
		return &limits.Excess{Kind: limits.Count, Max: 50, Would: len(all)}
	case values > 204800:
		return &limits.Excess{Kind: limits.ValueBytes, Max: 204800, Would: values}
	case envValues > 24576:
		return &limits.Excess{Kind: limits.EnvValueBytes, Max: 24576, Would: envValues}
	}
	return nil
}

func conflictsOf(held map[string]NewSecret, claimed []NewSecret) error {
	var conflicts []store.Conflict
	for i, c := range claimed {
		for _, h := range held {
			if c.Name == h.Name {
				conflicts = append(conflicts, store.Conflict{Index: i, Claim: v1alpha1.ClaimName})
			}
		}
		for _, h := range held {
			if c.EnvName != "" && c.EnvName == h.EnvName {
				conflicts = append(conflicts, store.Conflict{Index: i, Claim: v1alpha1.ClaimEnv})
			}
		}
		for _, h := range held {
			if c.FilePath != "" && c.FilePath == h.FilePath {
				conflicts = append(conflicts, store.Conflict{Index: i, Claim: v1alpha1.ClaimFile})
			}
		}
	}
	if conflicts == nil {
		return nil
	}
	return &store.ConflictError{Conflicts: conflicts}
}

// people is a Directory and an Authorizer: alice and bob, each the subject of a
// user of the same name, and an admin who is no user and has all rights that
// granted lists.
type people struct {
	granted []string // verbs of the caller "admin"
	asked   []string // "verb namespace", or "refresh"
	fail    error
}

var (
	alice = Tenant{Namespace: "u-alice", ID: "11111111-1111-4111-8111-111111111111", Username: "alice", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	bob   = Tenant{Namespace: "u-bob", ID: "22222222-2222-4222-8222-222222222222", Username: "bob"}
)

func (p *people) User(_ context.Context, caller, key string) (Tenant, error) {
	if key == "me" {
		key = caller
	}
	for _, t := range []Tenant{alice, bob} {
		if key == t.ID || key == t.Username {
			return t, nil
		}
	}
	p.asked = append(p.asked, "refresh") // as a directory does for what its cache does not have
	return Tenant{Namespace: "nobody"}, fmt.Errorf("%q: %w", key, ErrUnknownUser)
}

func (p *people) Refresh(context.Context) error {
	p.asked = append(p.asked, "refresh")
	return p.fail
}

func (p *people) Allowed(ctx context.Context, verb string, t Tenant) (bool, error) {
	p.asked = append(p.asked, verb+" "+t.Namespace)
	caller, _ := request.UserFrom(ctx)
	own := caller.GetName() == t.Username
	return own || caller.GetName() == "admin" && slices.Contains(p.granted, verb), p.fail
}

// fixture is a Handler over memory, with an authentication in front of it whose
// tokens are the user names.
type fixture struct {
	http.Handler
	memory *memory
	people *people
}

const prefix = "/api/v2/users/"

func newFixture(testing.TB) *fixture {
	f := &fixture{memory: newMemory(), people: &people{}}
	h := New(Config{Prefix: prefix, Directory: f.people, Authorizer: f.people, Secrets: f.memory})
	f.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("Coder-Session-Token")
		if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			token = bearer
		}
		if q := r.URL.Query().Get("coder_session_token"); q != "" {
			token = q
		}
		if token == "" {
			Unauthenticated(w, "No token was sent.")
			return
		}
		ctx := request.WithUser(r.Context(), &user.DefaultInfo{Name: token})
		h.ServeHTTP(w, r.WithContext(ctx))
	})
	return f
}
