// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// ErrUnknownUser is what a [Directory] returns for a key without a user, and a [Writer]
// if the user no longer exists.
var ErrUnknownUser = errors.New("no such user")

// Tenant is the user whose secrets a request is about.
type Tenant struct {
	// Namespace holds the user's secrets and is the trust boundary.
	Namespace string
	// ID is the user's UUID.
	ID string
	// Username is the user's name, which can differ from the namespace's.
	Username string
	// Created is when the user was created.
	Created time.Time
	// Own reports that the user was found as the caller's own.
	Own bool
}

// Secret is what the API shows of one user secret. It has no field for the value.
type Secret struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	EnvName     string    `json:"env_name"`
	FilePath    string    `json:"file_path"`
	Enabled     bool      `json:"enabled"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// NewSecret is a secret to create. Its fields have passed the field rules.
type NewSecret struct {
	Name        string
	Value       seal.Value
	Description string
	EnvName     string
	FilePath    string
	Enabled     bool
}

// Change is an update of a secret: nil leaves a field as it is, "" empties it. The
// fields that are set, at least one, have passed the field rules.
type Change struct {
	Value       *seal.Value
	Description *string
	EnvName     *string
	FilePath    *string
	Enabled     *bool
}

// Directory finds users.
type Directory interface {
	// User returns the user that key names. "me" is the user whose subjects include
	// caller, a Kubernetes user name; anything else is a user's id or else a username.
	// If the user does not exist, it returns ErrUnknownUser. Except for "me", it also
	// returns a Tenant that stands for the key and belongs to no user, so that rights
	// can be checked as if the user existed.
	User(ctx context.Context, caller, key string) (Tenant, error)
	// Refresh does the work that User does for an unknown key.
	Refresh(ctx context.Context) error
}

// Authorizer decides what the caller may do.
type Authorizer interface {
	// Allowed reports whether the caller in ctx (request.UserFrom) may use verb (list,
	// get, create, patch or delete) on the usersecrets of t. Users may do everything
	// with their own secrets; for all others, the cluster's RBAC decides. An error
	// means that it could not be decided.
	//
	// It is called before anything is loaded, so the answer and its duration must not
	// depend on what t has.
	Allowed(ctx context.Context, verb string, t Tenant) (bool, error)
}

// Reader reads the secrets of one user.
type Reader interface {
	// List returns all secrets of t, in any order.
	List(ctx context.Context, t Tenant) ([]Secret, error)
	// Get returns the secret with that documented name, compared byte by byte,
	// or store.ErrNotFound.
	Get(ctx context.Context, t Tenant, name string) (Secret, error)
}

// Writer changes the secrets of one user. A write is complete or has no effect, and
// every read after its acknowledgement sees it.
type Writer interface {
	// Create creates all the secrets or none, and returns them in the given order. It
	// is refused with a *limits.Excess, a *store.ConflictError, or both joined.
	Create(ctx context.Context, t Tenant, secrets []NewSecret) ([]Secret, error)
	// Update changes one secret. It is refused like Create, or with store.ErrNotFound.
	Update(ctx context.Context, t Tenant, name string, change Change) (Secret, error)
	// Delete deletes one secret, or returns store.ErrNotFound.
	Delete(ctx context.Context, t Tenant, name string) error
}

// Secrets is the store of user secrets as this dialect needs it. Its errors are those
// of package store; every other error is answered as an internal error.
type Secrets interface {
	Reader
	Writer
}
