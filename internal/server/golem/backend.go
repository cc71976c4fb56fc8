// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"context"
	"errors"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// ErrUnknownEnvironment is what a [Directory] returns for an id without an environment,
// and a [Writer] if the environment no longer exists.
var ErrUnknownEnvironment = errors.New("no such environment")

// ErrUnreadable reports that a stored secret cannot be returned: its sealing key is
// missing, or its value does not match its type.
var ErrUnreadable = errors.New("the stored secret cannot be read")

// Environment is an environment that has agent secrets.
type Environment struct {
	// ID is the environment's UUID, in lower case.
	ID string
	// Namespace holds the secrets and is the trust boundary.
	Namespace string
	// Name is the environment's name, which can differ from the namespace's.
	Name string
}

// Secret is the state of one agent secret at one moment: the revision, the type and the
// sealed value belong together.
type Secret struct {
	// ID is the secret's UUID, in lower case.
	ID          string
	Environment Environment
	// Path is canonical.
	Path     []string
	Revision int64
	// Type is never nil.
	Type *typedvalue.Type
	// Object is metadata.name of the object, which rights refer to.
	Object string
	// Sealed is what [Opener] opens; "" means that the secret has no value.
	Sealed string
}

// NewSecret is an agent secret to create.
type NewSecret struct {
	// Path is already canonical and must not be converted again.
	Path []string
	Type *typedvalue.Type
	// Value is canonical JSON of that type; nil means no value yet.
	Value *seal.Value
}

// Op is what an update does with the value.
type Op int

// The operations on the value. All of them raise the revision.
const (
	// Keep leaves it as it is.
	Keep Op = iota
	// Set replaces it.
	Set
	// Unset removes it.
	Unset
)

// Change is an update of an agent secret.
type Change struct {
	// Revision is the one that the caller saw. It must still be current when the change
	// is written.
	Revision int64
	Op       Op
	// Value is canonical JSON of the secret's type. Only Set uses it.
	Value seal.Value
}

// Directory finds environments.
type Directory interface {
	// Environment returns the environment with an id, a UUID in lower case. If it does
	// not exist, it returns ErrUnknownEnvironment and an Environment that stands for
	// the id, so that rights can be checked as if it existed.
	Environment(ctx context.Context, id string) (Environment, error)
	// RefreshEnvironments does the work that Environment does for an unknown id.
	RefreshEnvironments(ctx context.Context) error
}

// Authorizer decides what the caller in ctx (request.UserFrom) may do, as the cluster's
// RBAC would. An error means that it could not be decided.
type Authorizer interface {
	// Allowed reports whether the caller may use verb (list, get, create, patch or
	// delete) on the agentsecrets of e. object is metadata.name of the object, or ""
	// for list and create.
	Allowed(ctx context.Context, verb string, e Environment, object string) (bool, error)
	// MaySeeEnvironment reports whether the caller may use any of these verbs on the
	// agentsecrets of e, or get its Namespace.
	MaySeeEnvironment(ctx context.Context, e Environment) (bool, error)
	// MayReveal reports whether the caller may get agentsecrets/value of an object of
	// e, or of all of them if object is "".
	MayReveal(ctx context.Context, e Environment, object string) (bool, error)
}

// Reader reads agent secrets. It sees every write that any replica has
// acknowledged.
type Reader interface {
	// List returns all secrets of e, in any order.
	List(ctx context.Context, e Environment) ([]Secret, error)
	// Get returns the secret with an id, a UUID in lower case. If it does not exist, or
	// its namespace is no longer an environment, it returns store.ErrNotFound and a
	// Secret that stands for the id, so that rights can be checked as if it existed.
	Get(ctx context.Context, id string) (Secret, error)
	// Refresh does the work that Get does for an unknown id.
	Refresh(ctx context.Context) error
}

// Opener opens sealed values.
type Opener interface {
	// Open returns the value in s.Sealed, which is not "". It checks no right: its
	// caller has done so.
	Open(ctx context.Context, s Secret) (seal.Value, error)
}

// Writer changes agent secrets. Every read after a write was acknowledged sees it.
type Writer interface {
	// Create creates a secret with revision 0. It is refused with a *limits.Excess, a
	// *store.ConflictError if the path is taken, both joined, or ErrUnknownEnvironment.
	Create(ctx context.Context, e Environment, n NewSecret) (Secret, error)
	// Update changes s, raises its revision by exactly 1 and returns the new state. It
	// is refused with store.ErrNotFound, a *limits.Excess, or store.ErrRevision if
	// change.Revision is not current. Of several updates with the same revision,
	// exactly one succeeds, whichever replicas receive them.
	Update(ctx context.Context, s Secret, change Change) (Secret, error)
	// Delete deletes s and returns its last state. It is refused with
	// store.ErrNotFound, or with store.ErrRevision if revision is not current.
	Delete(ctx context.Context, s Secret, revision int64) (Secret, error)
}

// Secrets is the store of agent secrets as this dialect needs it. Its errors are those
// of package store. Every other error is answered as an internal error and logged, so
// no error may contain a value.
type Secrets interface {
	Reader
	Opener
	Writer
}
