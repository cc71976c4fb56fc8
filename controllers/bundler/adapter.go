// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Adapter describes what differs between the two kinds of objects.
type Adapter struct {
	// Name names the controller and labels its bundles: "user" or "agent".
	Name string
	// Kind is the objects' kind; sealed values are bound to it.
	Kind string
	// Prototype is an empty object of the kind.
	Prototype client.Object
	// EnvBundle and FilesBundle are the names of the two native Secrets.
	EnvBundle, FilesBundle string
	// List reads a tenant's objects, or those that which selects, from the cache or the API server.
	List func(ctx context.Context, r client.Reader, namespace string, which ...client.ListOption) ([]Member, error)
	// Decide judges objects without their values.
	Decide func([]bundle.Item) []bundle.Decision
	// Print converts an opened value into entries; Reprint does so for a value that is
	// kept in a bundle. They return an outcome instead if the value is not valid.
	Print, Reprint func(bundle.Item, seal.Value) (bundle.Printed, *bundle.Outcome)
	// Lay decides which entries the bundles contain.
	Lay func([]bundle.Decision, map[types.UID]bundle.Known) bundle.Laid
}

// Member is one object of a tenant.
type Member struct {
	// Object is the object as the cache has it, so nobody may change it.
	Object client.Object
	// Status points into Object.
	Status *v1alpha1.SecretStatus
	// Item is what package bundle needs to know about it.
	Item bundle.Item
}

// with returns a copy of the object that has another status.
func (m Member) with(is *v1alpha1.SecretStatus) client.Object {
	switch o := m.Object.DeepCopyObject().(type) {
	case *v1alpha1.UserSecret:
		o.Status = *is
		return o
	case *v1alpha1.AgentSecret:
		o.Status = *is
		return o
	}
	panic("bundler: an object of another kind")
}

// bundles returns the names of the two native Secrets.
func (a Adapter) bundles() []string { return []string{a.EnvBundle, a.FilesBundle} }

func (a Adapter) owns(secret string) bool { return secret == a.EnvBundle || secret == a.FilesBundle }
