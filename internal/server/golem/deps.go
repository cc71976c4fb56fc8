// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"context"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// Directory finds environments, as [directory.Directory] does.
type Directory interface {
	Environment(ctx context.Context, id string) (directory.Tenant, error)
	EnvironmentIn(ctx context.Context, namespace string) (directory.Tenant, error)
	Refresh(ctx context.Context) error
}

// Access asks the cluster what the caller in ctx (request.UserFrom) may do. An error
// means that it could not be decided.
type Access interface {
	// AgentSecrets reports whether the caller may use verb (list, get, create, patch or
	// delete) on the agentsecrets of a namespace. name is metadata.name of the object,
	// or "" for list and create.
	AgentSecrets(ctx context.Context, verb, namespace, name string) (bool, error)
	// RevealAgentSecret reports whether the caller may get agentsecrets/value of an
	// object, or of all of the namespace if name is "".
	RevealAgentSecret(ctx context.Context, namespace, name string) (bool, error)
	// GetNamespace reports whether the caller may get a Namespace.
	GetNamespace(ctx context.Context, name string) (bool, error)
}

// Reader reads agent secrets, as [store.Agents] does.
type Reader interface {
	List(ctx context.Context, namespace string) ([]*v1alpha1.AgentSecret, error)
	Get(ctx context.Context, id string) (*v1alpha1.AgentSecret, error)
	Refresh(ctx context.Context) error
}

// Writer changes agent secrets, as [store.Agents] does.
type Writer interface {
	Create(ctx context.Context, namespace string, n store.NewAgent) (*v1alpha1.AgentSecret, error)
	Update(ctx context.Context, a *v1alpha1.AgentSecret, revision int64, change store.AgentChange) (*v1alpha1.AgentSecret, error)
	Delete(ctx context.Context, a *v1alpha1.AgentSecret, revision int64) (*v1alpha1.AgentSecret, error)
}

// Secrets is the store of agent secrets as this dialect needs it. Its errors are those
// of package store. Every other error is answered as an internal error and logged, so
// no error may contain a value.
type Secrets interface {
	Reader
	Writer
}

// Opener opens sealed values.
type Opener interface {
	// Open checks no right: its caller has done so.
	Open(ctx context.Context, at seal.Context, sealed string) (seal.Value, error)
}
