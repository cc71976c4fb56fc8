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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// memory is the contract's semantics of storage in memory: unique paths,
// limits, revisions. What it calls sealed is a number under which it keeps the
// value. It counts what it is asked.
type memory struct {
	mu      sync.Mutex
	byID    map[string]*v1alpha1.AgentSecret // replaced, never changed
	values  map[string]seal.Value            // by sealedValue
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
	return &memory{byID: map[string]*v1alpha1.AgentSecret{}, values: map[string]seal.Value{}}
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

func (m *memory) List(_ context.Context, namespace string) ([]*v1alpha1.AgentSecret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var secrets []*v1alpha1.AgentSecret
	for _, s := range m.byID {
		if s.Namespace == namespace {
			secrets = append(secrets, s)
		}
	}
	return secrets, m.enter()
}

func (m *memory) Get(_ context.Context, id string) (*v1alpha1.AgentSecret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(); err != nil {
		return nil, err
	}
	s, ok := m.byID[id]
	if !ok {
		return nil, store.ErrNotFound
	}
	return s, nil
}

func (m *memory) Refresh(context.Context) error {
	m.refreshed++
	return nil
}

func (m *memory) Open(_ context.Context, _ seal.Context, sealed string) (seal.Value, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opened++
	v, ok := m.values[sealed]
	if !ok {
		return v, errors.New("asked to open nothing")
	}
	return v, m.stuck
}

func (m *memory) Create(_ context.Context, namespace string, n store.NewAgent) (*v1alpha1.AgentSecret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(); err != nil {
		return nil, err
	}
	var taken, full error
	count := 1
	for _, s := range m.byID {
		if s.Namespace != namespace {
			continue
		}
		count++
		if slices.Equal(s.Spec.Path, n.Path) {
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
		return nil, err
	}
	m.made++
	m.writes++
	raw, err := n.Type.MarshalStored()
	if err != nil {
		return nil, err
	}
	s := &v1alpha1.AgentSecret{
		ObjectMeta: metav1.ObjectMeta{UID: types.UID(idOf(m.made)), Namespace: namespace, Name: fmt.Sprintf("asec-%d", m.made)},
		Spec:       v1alpha1.AgentSecretSpec{Path: n.Path, SecretType: runtime.RawExtension{Raw: raw}},
	}
	if n.Value != nil {
		s.Spec.SealedValue = m.seal(*n.Value)
	}
	m.byID[string(s.UID)] = s
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

func (m *memory) Update(_ context.Context, s *v1alpha1.AgentSecret, revision int64, c store.AgentChange) (*v1alpha1.AgentSecret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, err := m.current(s, revision)
	if err != nil {
		return nil, err
	}
	now = now.DeepCopy()
	switch {
	case c.Set != nil:
		if err := limitOf(*c.Set); err != nil {
			return nil, err
		}
		now.Spec.SealedValue = m.seal(*c.Set)
	case c.Unset:
		now.Spec.SealedValue = ""
	}
	now.Spec.Revision++
	m.writes++
	m.byID[string(s.UID)] = now
	return now, nil
}

func (m *memory) Delete(_ context.Context, s *v1alpha1.AgentSecret, revision int64) (*v1alpha1.AgentSecret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, err := m.current(s, revision)
	if err != nil {
		return nil, err
	}
	delete(m.byID, string(s.UID))
	m.writes++
	return now, nil
}

func (m *memory) current(s *v1alpha1.AgentSecret, revision int64) (*v1alpha1.AgentSecret, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	now, ok := m.byID[string(s.UID)]
	if !ok {
		return nil, store.ErrNotFound
	}
	if now.Spec.Revision != revision {
		return nil, store.ErrRevision
	}
	return now, nil
}

// people is a Directory and an Access of two environments. A right is a
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
	first  = directory.Tenant{ID: "11111111-1111-4111-8111-11111111111a", Namespace: "e-first", Name: "first"}
	hidden = directory.Tenant{ID: "22222222-2222-4222-8222-22222222222b", Namespace: "e-hidden", Name: "hidden"}
)

const unknownID = "33333333-3333-4333-8333-33333333333c"

// idOf is the id of the nth secret.
func idOf(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }

func (p *people) Environment(_ context.Context, id string) (directory.Tenant, error) {
	for _, e := range []directory.Tenant{first, hidden} {
		if e.ID == id {
			return e, nil
		}
	}
	return directory.Tenant{Namespace: "nobody"}, fmt.Errorf("%q: %w", id, directory.ErrUnknown)
}

func (p *people) EnvironmentIn(_ context.Context, namespace string) (directory.Tenant, error) {
	for _, e := range []directory.Tenant{first, hidden} {
		if e.Namespace == namespace {
			return e, nil
		}
	}
	return directory.Tenant{}, directory.ErrUnknown
}

func (p *people) Refresh(context.Context) error {
	p.asked = append(p.asked, "refresh")
	return p.fail["refresh"]
}

// decide answers a question about a right and remembers it.
func (p *people) decide(ctx context.Context, namespace, right, object string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, strings.TrimSuffix(right+"/"+object, "/"))
	caller, _ := request.UserFrom(ctx)
	has := p.rights[caller.GetName()]
	allowed := slices.Contains(has, right) || object != "" && slices.Contains(has, right+"/"+object)
	return namespace == first.Namespace && allowed, p.fail[right]
}

func (p *people) AgentSecrets(ctx context.Context, verb, namespace, name string) (bool, error) {
	return p.decide(ctx, namespace, verb, name)
}

func (p *people) GetNamespace(ctx context.Context, name string) (bool, error) {
	return p.decide(ctx, name, "namespace", "")
}

func (p *people) RevealAgentSecret(ctx context.Context, namespace, name string) (bool, error) {
	return p.decide(ctx, namespace, "value", name)
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
	f.serve(prefix, f.memory)
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

// serve replaces the Handler.
func (f *fixture) serve(prefix string, secrets Secrets) {
	f.golem = New(Config{Prefix: prefix, Directory: f.people, Access: f.people, Secrets: secrets, Opener: f.memory})
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
