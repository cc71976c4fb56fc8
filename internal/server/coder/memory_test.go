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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// memory is the contract's semantics of storage in memory: unique claims,
// limits over plaintext bytes, all or nothing. It counts what it is asked.
type memory struct {
	mu      sync.Mutex
	byUser  map[string]map[string]store.NewUser // namespace, name
	touched int
	fail    error // answered to everything, if set
}

func newMemory() *memory { return &memory{byUser: map[string]map[string]store.NewUser{}} }

func (m *memory) enter(namespace string) (map[string]store.NewUser, error) {
	m.touched++
	if m.byUser[namespace] == nil {
		m.byUser[namespace] = map[string]store.NewUser{}
	}
	return m.byUser[namespace], m.fail
}

func stored(n store.NewUser) *v1alpha1.UserSecret {
	return &v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{
			UID:               types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012x", len(n.Name))),
			CreationTimestamp: metav1.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		},
		Spec: v1alpha1.UserSecretSpec{
			Name: n.Name, Description: n.Description, EnvName: n.EnvName, FilePath: n.FilePath, Enabled: &n.Enabled,
		},
	}
}

func (m *memory) List(_ context.Context, namespace string) ([]*v1alpha1.UserSecret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	secrets, err := m.enter(namespace)
	var out []*v1alpha1.UserSecret
	for _, s := range secrets {
		out = append(out, stored(s))
	}
	return out, err
}

func (m *memory) Get(_ context.Context, namespace, name string) (*v1alpha1.UserSecret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	secrets, err := m.enter(namespace)
	if err != nil {
		return nil, err
	}
	s, ok := secrets[name]
	if !ok {
		return nil, store.ErrNotFound
	}
	return stored(s), nil
}

func (m *memory) Create(_ context.Context, namespace string, created []store.NewUser) ([]*v1alpha1.UserSecret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	secrets, err := m.enter(namespace)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(slices.Collect(valuesOf(secrets)), created)
	if err := errors.Join(limitsOf(all), conflictsOf(secrets, created)); err != nil {
		return nil, err
	}
	out := make([]*v1alpha1.UserSecret, 0, len(created))
	for _, s := range created {
		secrets[s.Name] = s
		out = append(out, stored(s))
	}
	return out, nil
}

func (m *memory) Update(_ context.Context, namespace, name string, c store.UserChange) (*v1alpha1.UserSecret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	secrets, err := m.enter(namespace)
	if err != nil {
		return nil, err
	}
	s, ok := secrets[name]
	if !ok {
		return nil, store.ErrNotFound
	}
	set(&s.Value, c.Value)
	set(&s.Description, c.Description)
	set(&s.EnvName, c.EnvName)
	set(&s.FilePath, c.FilePath)
	set(&s.Enabled, c.Enabled)
	others := map[string]store.NewUser{}
	for _, other := range secrets {
		if other.Name != name {
			others[other.Name] = other
		}
	}
	all := append(slices.Collect(valuesOf(others)), s)
	if err := errors.Join(limitsOf(all), conflictsOf(others, []store.NewUser{s})); err != nil {
		return nil, err
	}
	secrets[name] = s
	return stored(s), nil
}

func (m *memory) Delete(_ context.Context, namespace, name string) (*v1alpha1.UserSecret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	secrets, err := m.enter(namespace)
	if err != nil {
		return nil, err
	}
	s, ok := secrets[name]
	if !ok {
		return nil, store.ErrNotFound
	}
	delete(secrets, name)
	return stored(s), nil
}

func set[T any](field, to *T) {
	if to != nil {
		*field = *to
	}
}

func valuesOf(m map[string]store.NewUser) func(func(store.NewUser) bool) {
	return func(yield func(store.NewUser) bool) {
		for _, s := range m {
			if !yield(s) {
				return
			}
		}
	}
}

func limitsOf(all []store.NewUser) error {
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

func conflictsOf(held map[string]store.NewUser, claimed []store.NewUser) error {
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

// people is a Directory and an Access: alice and bob, each the subject of a user of the
// same name, and an admin who is no user and has all rights that granted lists.
type people struct {
	granted []string // verbs of the caller "admin"
	asked   []string // "verb namespace", or "refresh"
	fail    error
}

var (
	alice = directory.Tenant{Namespace: "u-alice", ID: "11111111-1111-4111-8111-111111111111", Name: "alice", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	bob   = directory.Tenant{Namespace: "u-bob", ID: "22222222-2222-4222-8222-222222222222", Name: "bob"}
)

func (p *people) User(_ context.Context, caller, key string) (directory.Tenant, error) {
	if key == directory.Self {
		key = caller
	}
	for _, t := range []directory.Tenant{alice, bob} {
		if key == t.ID || key == t.Name {
			t.Own = caller == t.Name
			return t, nil
		}
	}
	p.asked = append(p.asked, "refresh") // as a directory does for what its cache does not have
	return directory.Tenant{Namespace: "nobody"}, fmt.Errorf("%q: %w", key, directory.ErrUnknown)
}

func (p *people) Refresh(context.Context) error {
	p.asked = append(p.asked, "refresh")
	return p.fail
}

func (p *people) UserSecrets(ctx context.Context, verb, namespace string) (bool, error) {
	p.asked = append(p.asked, verb+" "+namespace)
	caller, _ := request.UserFrom(ctx)
	return caller.GetName() == "admin" && slices.Contains(p.granted, verb), p.fail
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
	h := New(Config{Prefix: prefix, Directory: f.people, Access: f.people, Secrets: f.memory})
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
