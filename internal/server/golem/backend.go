// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"context"
	"errors"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// ErrUnknownEnvironment is what a [Directory] answers for an id that is no
// environment's, and a [Writer] when the environment is no longer one.
var ErrUnknownEnvironment = errors.New("no such environment")

// ErrUnreadable says that what is stored cannot be made into an answer: the sealing key is
// not there, or value and type do not belong together.
var ErrUnreadable = errors.New("the stored secret cannot be read")

// Environment is what holds agent secrets.
type Environment struct {
	// ID is the environment's UUID, in lower case.
	ID string
	// Namespace holds the secrets and is the trust boundary.
	Namespace string
	// Name is the environment's name, which need not be the namespace's.
	Name string
}

// Secret is one agent secret as it was at one moment: the revision, the type
// and the sealed value belong together.
type Secret struct {
	// ID is the secret's UUID, in lower case.
	ID          string
	Environment Environment
	// Path is canonical.
	Path     []string
	Revision int64
	// Type is never nil.
	Type *typedvalue.Type
	// Object is metadata.name of the object, which authorisation goes by.
	Object string
	// Sealed is what [Opener] opens; "" means that there is no value.
	Sealed string
}

// NewSecret is an agent secret to create.
type NewSecret struct {
	// Path is canonical already and must not be converted again.
	Path []string
	Type *typedvalue.Type
	// Value is canonical JSON of that type, nil for no value yet.
	Value *seal.Value
}

// Op says what becomes of the value in an update.
type Op int

// What an update can do with the value. All of them raise the revision.
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
	// Revision is the one that the caller saw, and that must still be the
	// current one when the change is written.
	Revision int64
	Op       Op
	// Value is canonical JSON of the secret's type. It is used with Set alone.
	Value seal.Value
}

// Directory knows the environments.
type Directory interface {
	// Environment returns the environment with that id, a UUID in lower case. Where
	// there is none it answers ErrUnknownEnvironment and one that stands for the id,
	// so that rights can be asked for as if it were there.
	Environment(ctx context.Context, id string) (Environment, error)
	// RefreshEnvironments does the work that Environment does for an id that is no
	// environment's.
	RefreshEnvironments(ctx context.Context) error
}

// Authorizer decides what the caller in ctx (request.UserFrom) may do, as the
// cluster's RBAC would. An error means that it could not be decided.
type Authorizer interface {
	// Allowed says whether the caller may use verb (list, get, create, patch or
	// delete) on the agentsecrets of e. object is metadata.name of the one
	// concerned, "" for list and create.
	Allowed(ctx context.Context, verb string, e Environment, object string) (bool, error)
	// MaySeeEnvironment says whether the caller may use any of these verbs on
	// the agentsecrets of e, or get its Namespace.
	MaySeeEnvironment(ctx context.Context, e Environment) (bool, error)
	// MayReveal says whether the caller may get agentsecrets/value of an object
	// of e, or with object "" of all of them.
	MayReveal(ctx context.Context, e Environment, object string) (bool, error)
}

// Reader reads agent secrets. It sees every write that any replica has
// acknowledged.
type Reader interface {
	// List returns all secrets of e, in any order.
	List(ctx context.Context, e Environment) ([]Secret, error)
	// Get returns the secret with that id, a UUID in lower case. Where there is none,
	// or its namespace is no longer an environment, it answers store.ErrNotFound and
	// one that stands for the id, so that rights can be asked for as if it were there.
	Get(ctx context.Context, id string) (Secret, error)
	// Refresh does the work that Get does for an id that is no secret's.
	Refresh(ctx context.Context) error
}

// Opener opens sealed values.
type Opener interface {
	// Open returns the value that s.Sealed holds, which is not "". It asks for
	// no right: the caller of Open has done so.
	Open(ctx context.Context, s Secret) (seal.Value, error)
}

// Writer changes agent secrets. Whoever reads after a write was acknowledged
// sees it.
type Writer interface {
	// Create creates a secret with revision 0. It is refused with a
	// *limits.Excess, a *store.ConflictError if the path is taken, both
	// joined, or ErrUnknownEnvironment.
	Create(ctx context.Context, e Environment, n NewSecret) (Secret, error)
	// Update changes s, raises its revision by exactly 1 and returns it as it is
	// now. It is refused with store.ErrNotFound, with store.ErrRevision if
	// change.Revision is not the current one, or a *limits.Excess. Of several
	// with the same revision exactly one succeeds, whichever replicas they go to.
	Update(ctx context.Context, s Secret, change Change) (Secret, error)
	// Delete deletes s and returns it as it last was. It is refused with
	// store.ErrNotFound, or with store.ErrRevision if revision is not the
	// current one.
	Delete(ctx context.Context, s Secret, revision int64) (Secret, error)
}

// Secrets is the store of agent secrets as this dialect needs it. Its errors
// are those of package store; every other error is answered as a fault of the
// server, and logged: none may hold a value.
type Secrets interface {
	Reader
	Opener
	Writer
}
