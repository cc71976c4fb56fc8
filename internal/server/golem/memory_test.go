// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// memory is the contract's semantics of storage in memory: unique paths,
// limits, revisions. What it calls sealed is a number under which it keeps the
// value. It counts what it is asked.
type memory struct {
	mu      sync.Mutex
	byID    map[string]Secret
	values  map[string]seal.Value // by Secret.Sealed
	made    int
	touched int
	writes  int
	opened  int
	// refreshed counts lookups that were only for the time they take.
	refreshed int
	fail      error // answered to everything but Open, if set
	stuck     error // answered to Open, if set
}

func newMemory() *memory {
	return &memory{byID: map[string]Secret{}, values: map[string]seal.Value{}}
}

func (m *memory) seal(v seal.Value) string {
	sealed := fmt.Sprintf("sealed-%d", len(m.values))
	m.values[sealed] = v
	return sealed
}

func (m *memory) enter() error {
	m.touched++
	return m.fail
}

func (m *memory) List(_ context.Context, e Environment) ([]Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var secrets []Secret
	for _, s := range m.byID {
		if s.Environment == e {
			secrets = append(secrets, s)
		}
	}
	return secrets, m.enter()
}

func (m *memory) Get(_ context.Context, id string) (Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(); err != nil {
		return Secret{}, err
	}
	s, ok := m.byID[id]
	if !ok {
		return Secret{}, store.ErrNotFound
	}
	return s, nil
}

func (m *memory) Refresh(context.Context) error {
	m.refreshed++
	return nil
}

func (m *memory) Open(_ context.Context, s Secret) (seal.Value, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opened++
	v, ok := m.values[s.Sealed]
	if !ok {
		return v, errors.New("asked to open nothing")
	}
	return v, m.stuck
}

func (m *memory) Create(_ context.Context, e Environment, n NewSecret) (Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(); err != nil {
		return Secret{}, err
	}
	var taken, full error
	count := 1
	for _, s := range m.byID {
		if s.Environment != e {
			continue
		}
		count++
		if slices.Equal(s.Path, n.Path) {
			taken = &store.ConflictError{Conflicts: []store.Conflict{{Claim: v1alpha1.ClaimPath}}}
		}
	}
	if count > maxSecrets {
		full = &limits.Excess{Kind: limits.Count, Max: maxSecrets, Would: count}
	}
	if n.Value != nil {
		full = errors.Join(full, limitOf(*n.Value))
	}
	if err := errors.Join(taken, full); err != nil {
		return Secret{}, err
	}
	m.made++
	m.writes++
	s := Secret{
		ID: idOf(m.made), Environment: e, Path: n.Path, Type: n.Type, Object: fmt.Sprintf("asec-%d", m.made),
	}
	if n.Value != nil {
		s.Sealed = m.seal(*n.Value)
	}
	m.byID[s.ID] = s
	return s, nil
}

const (
	maxSecrets    = 20
	maxValueBytes = 64 << 10
)

func limitOf(v seal.Value) error {
	if v.Len() > maxValueBytes {
		return &limits.Excess{Kind: limits.OneValueBytes, Max: maxValueBytes, Would: v.Len()}
	}
	return nil
}

func (m *memory) Update(_ context.Context, s Secret, c Change) (Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.current(s, c.Revision); err != nil {
		return Secret{}, err
	}
	now := m.byID[s.ID]
	switch c.Op {
	case Set:
		if err := limitOf(c.Value); err != nil {
			return Secret{}, err
		}
		now.Sealed = m.seal(c.Value)
	case Unset:
		now.Sealed = ""
	case Keep:
	}
	now.Revision++
	m.writes++
	m.byID[s.ID] = now
	return now, nil
}

func (m *memory) Delete(_ context.Context, s Secret, revision int64) (Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.current(s, revision); err != nil {
		return Secret{}, err
	}
	now := m.byID[s.ID]
	delete(m.byID, s.ID)
	m.writes++
	return now, nil
}

func (m *memory) current(s Secret, revision int64) error {
	if err := m.enter(); err != nil {
		return err
	}
	now, ok := m.byID[s.ID]
	if !ok {
		return store.ErrNotFound
	}
	if now.Revision != revision {
		return store.ErrRevision
	}
	return nil
}

// people is a Directory and an Authorizer of two environments. A right is a
// verb, "value", or "namespace" for who may get the Namespace; one with an
// object's name behind it, such as "get/asec-1", is limited to that object.
type people struct {
	mu     sync.Mutex
	rights map[string][]string // by caller, in the first environment
	asked  []string
	// fail is answered to the question of that name.
	fail map[string]error
}

var (
	first  = Environment{ID: "11111111-1111-4111-8111-11111111111a", Namespace: "e-first", Name: "first"}
	hidden = Environment{ID: "22222222-2222-4222-8222-22222222222b", Namespace: "e-hidden", Name: "hidden"}
)

const unknownID = "33333333-3333-4333-8333-33333333333c"

// idOf is the id of the nth secret.
func idOf(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }

func (p *people) Environment(_ context.Context, id string) (Environment, error) {
	for _, e := range []Environment{first, hidden} {
		if e.ID == id {
			return e, nil
		}
	}
	return Environment{Namespace: "nobody"}, fmt.Errorf("%q: %w", id, ErrUnknownEnvironment)
}

func (p *people) RefreshEnvironments(context.Context) error {
	p.asked = append(p.asked, "refresh")
	return p.fail["refresh"]
}

// decide answers a question about a right and remembers it.
func (p *people) decide(ctx context.Context, e Environment, right, object string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, strings.TrimSuffix(right+"/"+object, "/"))
	caller, _ := request.UserFrom(ctx)
	has := p.rights[caller.GetName()]
	allowed := slices.Contains(has, right) || object != "" && slices.Contains(has, right+"/"+object)
	return e == first && allowed, p.fail[right]
}

func (p *people) Allowed(ctx context.Context, verb string, e Environment, object string) (bool, error) {
	return p.decide(ctx, e, verb, object)
}

func (p *people) MaySeeEnvironment(ctx context.Context, e Environment) (bool, error) {
	seen, err := false, p.fail["see"]
	for _, right := range []string{"list", "get", "create", "patch", "delete", "namespace"} {
		allowed, _ := (&people{rights: p.rights}).decide(ctx, e, right, "")
		seen = seen || allowed
	}
	p.asked = append(p.asked, "see")
	return seen, err
}

func (p *people) MayReveal(ctx context.Context, e Environment, object string) (bool, error) {
	return p.decide(ctx, e, "value", object)
}

// fixture is a Handler over memory, with an authentication in front of it whose
// tokens are the callers' names.
type fixture struct {
	http.Handler
	golem  *Handler
	memory *memory
	people *people
}

const prefix = "/v1/"

func newFixture(testing.TB) *fixture {
	f := &fixture{memory: newMemory(), people: &people{
		rights: map[string][]string{
			"admin":    {"list", "get", "create", "patch", "delete", "value"},
			"editor":   {"list", "get", "create", "patch", "delete"},
			"viewer":   {"list", "get"},
			"onlooker": {"namespace"},
		},
		fail: map[string]error{},
	}}
	f.golem = New(Config{Prefix: prefix, Directory: f.people, Authorizer: f.people, Secrets: f.memory})
	f.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			Unauthenticated(w, "no token was sent")
			return
		}
		ctx := request.WithUser(r.Context(), &user.DefaultInfo{Name: token})
		f.golem.ServeHTTP(w, r.WithContext(ctx))
	})
	return f
}

const (
	secretsPath = prefix + "envs/11111111-1111-4111-8111-11111111111a/agent-secrets"
	stringType  = `{"type":"Str"}`
)

// as sends a request of a caller's.
func (f *fixture) as(t testing.TB, caller, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+caller)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

// given creates a secret with that path, type and value ("" for none), and
// forgets what that took.
func (f *fixture) given(t testing.TB, path, typ, value string) string {
	t.Helper()
	if value == "" {
		value = "null"
	}
	body := fmt.Sprintf(`{"path":%s,"secretType":%s,"secretValue":%s}`, path, typ, value)
	if got := f.as(t, "admin", http.MethodPost, secretsPath, body); got.Code != http.StatusOK {
		t.Fatalf("the given secret: %d %s", got.Code, got.Body)
	}
	f.memory.touched, f.memory.writes, f.memory.opened, f.people.asked = 0, 0, 0, nil
	return prefix + "agent-secrets/" + idOf(f.memory.made)
}

// deletionOf is the path under which a secret is deleted.
func deletionOf(secret string) string {
	return strings.Replace(secret, "agent-secrets", "agent-secret", 1)
}
