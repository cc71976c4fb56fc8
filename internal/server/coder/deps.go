// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"context"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// Directory finds users, as [directory.Directory] does.
type Directory interface {
	User(ctx context.Context, caller, key string) (directory.Tenant, error)
	Refresh(ctx context.Context) error
}

// Access asks the cluster what the caller in ctx (request.UserFrom) may do.
type Access interface {
	// UserSecrets reports whether the caller may use verb (list, get, create, patch or
	// delete) on the usersecrets of a namespace. An error means that it could not be
	// decided.
	//
	// It is called before anything is loaded, so the answer and its duration must not
	// depend on what the namespace has.
	UserSecrets(ctx context.Context, verb, namespace string) (bool, error)
}

// Reader reads the secrets of users, as [store.Users] does.
type Reader interface {
	List(ctx context.Context, namespace string) ([]*v1alpha1.UserSecret, error)
	Get(ctx context.Context, namespace, name string) (*v1alpha1.UserSecret, error)
}

// Writer changes the secrets of users, as [store.Users] does.
type Writer interface {
	Create(ctx context.Context, namespace string, secrets []store.NewUser) ([]*v1alpha1.UserSecret, error)
	Update(ctx context.Context, namespace, name string, change store.UserChange) (*v1alpha1.UserSecret, error)
	Delete(ctx context.Context, namespace, name string) (*v1alpha1.UserSecret, error)
}

// Secrets is the store of user secrets as this dialect needs it. Its errors are those
// of package store; every other error is answered as an internal error.
type Secrets interface {
	Reader
	Writer
}
