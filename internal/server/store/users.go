// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/naming"
	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// tries is how often a write is tried when others were faster, such as the controller
// with a status. Each failed try means that another write succeeded.
const tries = 16

// NewUser is a user secret to create. Its fields have passed the field rules.
type NewUser struct {
	// Name, Description, EnvName and FilePath are as in the spec.
	Name, Description, EnvName, FilePath string
	// Enabled is false for a secret that must not be projected.
	Enabled bool
	// Value is the secret itself.
	Value seal.Value
}

// UserChange is what to change in a user secret; nil leaves a field as it is.
type UserChange struct {
	// Description, EnvName and FilePath are as in the spec.
	Description, EnvName, FilePath *string
	// Enabled switches projection.
	Enabled *bool
	// Value replaces the value.
	Value *seal.Value
}

// Users stores the user secrets of all tenants.
type Users struct {
	*core
	names *byName
}

// NewUsers returns a store of user secrets that reads from o.Cache, which may not have
// been started yet.
func NewUsers(ctx context.Context, o Options, l limits.User) (*Users, error) {
	c, err := newCore(ctx, o, "UserSecret", &v1alpha1.UserSecret{})
	if err != nil {
		return nil, err
	}
	c.limit = l.Check
	c.unique = func(v1alpha1.ClaimKind) bool { return true }
	c.cached = func(ctx context.Context, namespace string) ([]policy.Secret, error) {
		list := &v1alpha1.UserSecretList{}
		err := o.Cache.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)
		return records(list.Items, bundle.OfUser), err
	}
	return &Users{core: c, names: newByName(o.Live)}, nil
}

// List returns the tenant's user secrets. They must not be changed.
func (s *Users) List(ctx context.Context, namespace string) ([]*v1alpha1.UserSecret, error) {
	list := &v1alpha1.UserSecretList{}
	if err := s.Cache.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("%w: list UserSecrets: %w", ErrUnavailable, err)
	}
	return policy.Visible(list.Items), nil
}

// Get returns the tenant's user secret with a documented name, or ErrNotFound. It must
// not be changed.
func (s *Users) Get(ctx context.Context, namespace, name string) (*v1alpha1.UserSecret, error) {
	found, err := s.cachedNamed(ctx, namespace, name)
	if !errors.Is(err, ErrNotFound) {
		return found, err
	}
	now, err := s.names.Do(ctx, namespace)
	if err != nil {
		return nil, err
	}
	mark, ok := now[name]
	if !ok {
		return nil, ErrNotFound
	}
	if err := s.waitForCache(ctx, mark); err != nil {
		return nil, err
	}
	return s.cachedNamed(ctx, namespace, name)
}

func (s *Users) cachedNamed(ctx context.Context, namespace, name string) (*v1alpha1.UserSecret, error) {
	all, err := s.List(ctx, namespace)
	if err != nil {
		return nil, err
	}
	var found *v1alpha1.UserSecret
	for _, u := range all {
		// kubectl can create two objects with one name; the holder of the name is
		// returned.
		if u.SecretName() == name && (found == nil || holds(u, found)) {
			found = u
		}
	}
	if found == nil {
		return nil, ErrNotFound
	}
	return found, nil
}

// Create creates all the secrets or none. It is refused with a *ConflictError, a
// *limits.Excess, or both joined.
func (s *Users) Create(ctx context.Context, namespace string, secrets []NewUser) ([]*v1alpha1.UserSecret, error) {
	unlock, err := s.lock(ctx, namespace)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := s.check(ctx, namespace, creations(namespace, secrets)); err != nil {
		return nil, err
	}
	if len(secrets) > 1 {
		return s.createBatch(ctx, namespace, secrets)
	}
	obj, err := s.write(ctx, namespace, secrets[0], "")
	if err != nil {
		return nil, err
	}
	if err := s.confirm(ctx, namespace, []policy.Change{{Secret: bundle.OfUser(obj)}}, obj.ResourceVersion); err != nil {
		return nil, unlessUnjudged(err, func() error { return s.takeBack(ctx, obj) })
	}
	return []*v1alpha1.UserSecret{obj}, nil
}

// write creates one object, which is pending if it belongs to a batch.
func (s *Users) write(ctx context.Context, namespace string, n NewUser, batch string) (*v1alpha1.UserSecret, error) {
	for _, name := range []string{naming.Object(n.Name), naming.Digest(n.Name)} {
		obj := newObject(namespace, n)
		obj.Name = name
		if batch != "" {
			obj.Annotations = map[string]string{v1alpha1.AnnotationPending: batch}
		}
		text, err := s.Keyring.Seal(binding.User(obj.Namespace, obj.Name), n.Value)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		obj.Spec.SealedValue = text
		err = s.Live.Create(ctx, obj)
		switch {
		case err == nil:
			return obj, nil
		case !apierrors.IsAlreadyExists(err):
			return nil, refused("create UserSecret", err)
		}
		// Either another writer created this name first, or kubectl gave the object
		// name to a secret with another documented name.
		other := &v1alpha1.UserSecret{}
		err = s.Live.Get(ctx, client.ObjectKeyFromObject(obj), other)
		if err == nil && other.SecretName() == n.Name {
			if err := s.waitForCache(ctx, versionMark(other)); err != nil {
				return nil, err
			}
			return nil, &ConflictError{Conflicts: []Conflict{{Claim: v1alpha1.ClaimName}}}
		}
		if client.IgnoreNotFound(err) != nil {
			return nil, refused("read UserSecret", err)
		}
	}
	return nil, &ConflictError{Conflicts: []Conflict{{Claim: v1alpha1.ClaimName}}}
}

func creations(namespace string, secrets []NewUser) []policy.Change {
	out := make([]policy.Change, 0, len(secrets))
	for _, n := range secrets {
		obj := newObject(namespace, n)
		r := bundle.OfUser(obj)
		r.Use = bundle.UserUseOf(obj, n.Value.Len())
		out = append(out, policy.Change{Secret: r})
	}
	return out
}

// holds reports whether a holds the name that both have.
func holds(a, b *v1alpha1.UserSecret) bool {
	name := claim.Claim{Kind: v1alpha1.ClaimName, Value: a.SecretName()}
	return claim.Before(name, claim.OfUser(a), claim.OfUser(b))
}

func newObject(namespace string, n NewUser) *v1alpha1.UserSecret {
	return &v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace},
		Spec: v1alpha1.UserSecretSpec{
			Name:        n.Name,
			Description: n.Description,
			EnvName:     n.EnvName,
			FilePath:    n.FilePath,
			Enabled:     &n.Enabled,
		},
	}
}

// Delete deletes the tenant's user secret with a documented name, and returns its last
// state.
func (s *Users) Delete(ctx context.Context, namespace, name string) (*v1alpha1.UserSecret, error) {
	unlock, err := s.lock(ctx, namespace)
	if err != nil {
		return nil, err
	}
	defer unlock()
	obj, err := s.Get(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	uid := obj.UID
	err = s.Live.Delete(ctx, obj.DeepCopy(), client.Preconditions{UID: &uid})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		// Another client deleted it. Answer only when the cache knows.
		return nil, s.gone(ctx, obj)
	}
	if err != nil {
		return nil, refused("delete UserSecret", err)
	}
	return obj, s.waitForCache(ctx, goneMark(obj))
}
