// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/golem"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
	"github.com/latchkey-dev/latchkey/internal/server/store"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// AgentAccess asks the cluster what the caller in ctx may do with agent secrets.
type AgentAccess interface {
	// AgentSecrets reports whether the caller may use verb on agentsecrets.
	AgentSecrets(ctx context.Context, verb, namespace, name string) (bool, error)
	// RevealAgentSecret reports whether the caller may get agentsecrets/value.
	RevealAgentSecret(ctx context.Context, namespace, name string) (bool, error)
	// GetNamespace reports whether the caller may get a Namespace.
	GetNamespace(ctx context.Context, name string) (bool, error)
}

// Golem serves the agent-secrets dialect.
type Golem struct {
	// Tenants has the environments.
	Tenants *directory.Directory
	// Access asks the cluster for rights.
	Access AgentAccess
	// Store reads and writes the secrets.
	Store *store.Agents
}

var (
	_ golem.Directory  = (*Golem)(nil)
	_ golem.Authorizer = (*Golem)(nil)
	_ golem.Secrets    = (*Golem)(nil)
)

// Environment implements golem.Directory.
func (g *Golem) Environment(ctx context.Context, id string) (golem.Environment, error) {
	t, err := g.Tenants.Environment(ctx, id)
	if errors.Is(err, directory.ErrUnknown) {
		return golem.Environment{Namespace: nobody(id)}, golem.ErrUnknownEnvironment
	}
	requests.Audited(ctx, requests.AuditTenant, t.Namespace)
	return environment(t), away(err)
}

// RefreshEnvironments implements golem.Directory.
func (g *Golem) RefreshEnvironments(ctx context.Context) error { return away(g.Tenants.Refresh(ctx)) }

func environment(t directory.Tenant) golem.Environment {
	return golem.Environment{ID: t.ID, Namespace: t.Namespace, Name: t.Name}
}

// Allowed implements golem.Authorizer.
func (g *Golem) Allowed(ctx context.Context, verb string, e golem.Environment, object string) (bool, error) {
	return g.Access.AgentSecrets(ctx, verb, e.Namespace, object)
}

// MaySeeEnvironment implements golem.Authorizer.
func (g *Golem) MaySeeEnvironment(ctx context.Context, e golem.Environment) (bool, error) {
	for _, verb := range []string{"list", "get", "create", "patch", "delete"} {
		if ok, err := g.Access.AgentSecrets(ctx, verb, e.Namespace, ""); ok || err != nil {
			return ok, err
		}
	}
	return g.Access.GetNamespace(ctx, e.Namespace)
}

// MayReveal implements golem.Authorizer.
func (g *Golem) MayReveal(ctx context.Context, e golem.Environment, object string) (bool, error) {
	return g.Access.RevealAgentSecret(ctx, e.Namespace, object)
}

// List implements golem.Reader.
func (g *Golem) List(ctx context.Context, e golem.Environment) ([]golem.Secret, error) {
	objs, err := g.Store.List(ctx, e.Namespace)
	if err != nil {
		return nil, err
	}
	out := make([]golem.Secret, 0, len(objs))
	for _, o := range objs {
		s, err := showAgent(o, e)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// Get implements golem.Reader.
func (g *Golem) Get(ctx context.Context, id string) (golem.Secret, error) {
	none := golem.Secret{Environment: golem.Environment{Namespace: nobody(id)}, Object: id}
	obj, err := g.Store.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return none, store.ErrNotFound
	}
	if err != nil {
		return golem.Secret{}, err
	}
	t, err := g.Tenants.EnvironmentIn(ctx, obj.Namespace)
	if errors.Is(err, directory.ErrUnknown) {
		return none, store.ErrNotFound
	}
	if err != nil {
		return golem.Secret{}, away(err)
	}
	requests.Audited(ctx, requests.AuditTenant, t.Namespace)
	audited(ctx, obj)
	return showAgent(obj, environment(t))
}

// Refresh implements golem.Reader.
func (g *Golem) Refresh(ctx context.Context) error { return g.Store.Refresh(ctx) }

// Open implements golem.Opener.
func (g *Golem) Open(ctx context.Context, s golem.Secret) (seal.Value, error) {
	at, err := binding.Agent(s.Environment.Namespace, s.Object, s.Path, s.Type)
	if err != nil {
		return seal.Value{}, err
	}
	return g.Store.Keyring.Open(ctx, at, s.Sealed)
}

// Create implements golem.Writer.
func (g *Golem) Create(ctx context.Context, e golem.Environment, n golem.NewSecret) (golem.Secret, error) {
	obj, err := g.Store.Create(ctx, e.Namespace, store.NewAgent{Path: n.Path, Type: n.Type, Value: n.Value})
	if err != nil {
		return golem.Secret{}, err
	}
	audited(ctx, obj)
	return showAgent(obj, e)
}

// Update implements golem.Writer.
func (g *Golem) Update(ctx context.Context, s golem.Secret, change golem.Change) (golem.Secret, error) {
	obj, err := g.Store.Get(ctx, s.ID)
	if err != nil {
		return golem.Secret{}, err
	}
	c := store.AgentChange{Unset: change.Op == golem.Unset}
	if change.Op == golem.Set {
		c.Set = &change.Value
	}
	after, err := g.Store.Update(ctx, obj, change.Revision, c)
	if err != nil {
		return golem.Secret{}, err
	}
	return showAgent(after, s.Environment)
}

// Delete implements golem.Writer.
func (g *Golem) Delete(ctx context.Context, s golem.Secret, revision int64) (golem.Secret, error) {
	obj, err := g.Store.Get(ctx, s.ID)
	if err != nil {
		return golem.Secret{}, err
	}
	last, err := g.Store.Delete(ctx, obj, revision)
	if err != nil {
		return golem.Secret{}, err
	}
	return showAgent(last, s.Environment)
}

func showAgent(a *v1alpha1.AgentSecret, e golem.Environment) (golem.Secret, error) {
	t, err := typedvalue.ParseStoredType(a.Spec.SecretType.Raw)
	if err != nil {
		return golem.Secret{}, fmt.Errorf("%w: the type of AgentSecret %s: %w", golem.ErrUnreadable, a.Name, err)
	}
	return golem.Secret{
		ID:          string(a.UID),
		Environment: e,
		Path:        a.Spec.Path,
		Revision:    a.Spec.Revision,
		Type:        t,
		Object:      a.Name,
		Sealed:      a.Spec.SealedValue,
	}, nil
}
