// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"context"
	"errors"
	"time"

	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/server/coder"
	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// UserAccess asks the cluster what the caller in ctx may do with user secrets.
type UserAccess interface {
	// UserSecrets reports whether the caller may use verb on the usersecrets of a
	// namespace.
	UserSecrets(ctx context.Context, verb, namespace string) (bool, error)
}

// Coder serves the user-secrets dialect.
type Coder struct {
	// Tenants has the users.
	Tenants *directory.Directory
	// Access asks the cluster for rights.
	Access UserAccess
	// Store reads and writes the secrets.
	Store *store.Users
}

var (
	_ coder.Directory  = (*Coder)(nil)
	_ coder.Authorizer = (*Coder)(nil)
	_ coder.Secrets    = (*Coder)(nil)
)

// User implements coder.Directory.
func (c *Coder) User(ctx context.Context, caller, key string) (coder.Tenant, error) {
	var t directory.Tenant
	var err error
	if key == "me" {
		t, err = c.Tenants.UserOf(ctx, caller)
	} else {
		t, err = c.Tenants.User(ctx, key)
	}
	if errors.Is(err, directory.ErrUnknown) {
		return coder.Tenant{Namespace: nobody(key)}, coder.ErrUnknownUser
	}
	requests.Audited(ctx, requests.AuditTenant, t.Namespace)
	return coder.Tenant{Namespace: t.Namespace, ID: t.ID, Username: t.Name, Created: t.Created, Own: key == "me"}, away(err)
}

// Refresh implements coder.Directory.
func (c *Coder) Refresh(ctx context.Context) error { return away(c.Tenants.Refresh(ctx)) }

// Allowed implements coder.Authorizer. Users may do everything with their own secrets.
func (c *Coder) Allowed(ctx context.Context, verb string, t coder.Tenant) (bool, error) {
	caller, ok := request.UserFrom(ctx)
	if !ok {
		return false, errors.New("no caller in the request")
	}
	if t.Own {
		return true, nil // the cache may not have it yet
	}
	own, err := c.Tenants.Is(ctx, caller.GetName(), directory.Tenant{Namespace: t.Namespace})
	if own || err != nil {
		return own, away(err)
	}
	return c.Access.UserSecrets(ctx, verb, t.Namespace)
}

// List implements coder.Reader.
func (c *Coder) List(ctx context.Context, t coder.Tenant) ([]coder.Secret, error) {
	objs, err := c.Store.List(ctx, t.Namespace)
	return shown(objs), err
}

// Get implements coder.Reader.
func (c *Coder) Get(ctx context.Context, t coder.Tenant, name string) (coder.Secret, error) {
	obj, err := c.Store.Get(ctx, t.Namespace, name)
	if err != nil {
		return coder.Secret{}, err
	}
	audited(ctx, obj)
	return show(obj), nil
}

// Create implements coder.Writer.
func (c *Coder) Create(ctx context.Context, t coder.Tenant, secrets []coder.NewSecret) ([]coder.Secret, error) {
	in := make([]store.NewUser, 0, len(secrets))
	for _, s := range secrets {
		in = append(in, store.NewUser{
			Name: s.Name, Description: s.Description, EnvName: s.EnvName, FilePath: s.FilePath, Enabled: s.Enabled, Value: s.Value,
		})
	}
	objs, err := c.Store.Create(ctx, t.Namespace, in)
	if err != nil {
		return nil, err
	}
	audited(ctx, objs...)
	return shown(objs), nil
}

// Update implements coder.Writer.
func (c *Coder) Update(ctx context.Context, t coder.Tenant, name string, change coder.Change) (coder.Secret, error) {
	obj, err := c.Store.Update(ctx, t.Namespace, name, store.UserChange{
		Description: change.Description, EnvName: change.EnvName, FilePath: change.FilePath, Enabled: change.Enabled, Value: change.Value,
	})
	if err != nil {
		return coder.Secret{}, err
	}
	audited(ctx, obj)
	return show(obj), nil
}

// Delete implements coder.Writer.
func (c *Coder) Delete(ctx context.Context, t coder.Tenant, name string) error {
	obj, err := c.Store.Delete(ctx, t.Namespace, name)
	if err != nil {
		return err
	}
	audited(ctx, obj)
	return nil
}

func shown(objs []*v1alpha1.UserSecret) []coder.Secret {
	out := make([]coder.Secret, 0, len(objs))
	for _, o := range objs {
		out = append(out, show(o))
	}
	return out
}

func show(u *v1alpha1.UserSecret) coder.Secret {
	return coder.Secret{
		ID:          string(u.UID),
		Name:        u.SecretName(),
		Description: u.Spec.Description,
		EnvName:     u.Spec.EnvName,
		FilePath:    u.Spec.FilePath,
		Enabled:     u.IsEnabled(),
		CreatedAt:   u.CreationTimestamp.UTC(),
		// The API server stores creation times in whole seconds, so both times are
		// rounded to them.
		UpdatedAt: store.UpdatedAt(u, time.Now()).Truncate(time.Second),
	}
}
