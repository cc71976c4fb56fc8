// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Keyring seals and opens values. keyring.Ring is one.
type Keyring interface {
	// Seal seals a value for the object c.
	Seal(c seal.Context, v seal.Value) (string, error)
	// Open returns the value sealed for the object c.
	Open(ctx context.Context, c seal.Context, text string) (seal.Value, error)
}

// Sources checks the rights of the caller of a request, who is in its context.
type Sources interface {
	// MayGetSecret reports whether the caller may get a native Secret.
	MayGetSecret(ctx context.Context, namespace, name string) (bool, error)
}

// Mark is a state that a cache must have reached: an object at a version, or its
// absence.
type Mark struct {
	// Namespace is the namespace of the object.
	Namespace string
	// Version is a resourceVersion that the cache must have reached; 0 for Gone.
	Version uint64
	// Name and Gone name an object that must no longer exist.
	Name string
	Gone types.UID
}

// Options make a store.
type Options struct {
	// Cache is for reads; its informers' objects are not copied and must not be
	// changed.
	Cache cache.Cache
	// Namespaces are the ones that Cache watches separately; empty if it watches all at
	// once.
	Namespaces []string
	// Live reads from and writes to the API server.
	Live client.WithWatch
	// Keyring seals and opens values.
	Keyring Keyring
	// Sources decides which sources callers may use, and DigestKey returns the key of
	// the approvals. They may be nil if no secret has a source.
	Sources   Sources
	DigestKey func() (digest.Key, error)
	// Held returns an error if the request of a context must not write any more,
	// because this replica is not active. It may be nil if there is one replica.
	Held func(ctx context.Context) error
}

// catchUp is how long a request waits for the caches after its write.
const catchUp = 10 * time.Second

// core is what the stores of both kinds share.
type core struct {
	Options
	kind     string
	trackers trackers
	locks    locks
	// present reports whether the cache has the object.
	present func(ctx context.Context, key client.ObjectKey, uid types.UID) bool
	// cached reads a tenant's records from the cache.
	cached func(ctx context.Context, namespace string) ([]policy.Secret, error)
	// limit returns the limit that a change of a tenant's use exceeds, or nil.
	limit func(was, is limits.Use) *limits.Excess
	// unique reports whether a conflict of such a claim refuses the write.
	unique func(v1alpha1.ClaimKind) bool
}

func newCore(ctx context.Context, o Options, kind string, prototype client.Object) (*core, error) {
	c := &core{Options: o, kind: kind, trackers: newTrackers(o.Namespaces)}
	informer, err := o.Cache.GetInformer(ctx, prototype, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch %ss: %w", kind, err)
	}
	if _, err := informer.AddEventHandler(c.trackers); err != nil {
		return nil, fmt.Errorf("watch %ss: %w", kind, err)
	}
	c.present = func(ctx context.Context, key client.ObjectKey, uid types.UID) bool {
		obj, ok := prototype.DeepCopyObject().(client.Object)
		return ok && o.Cache.Get(ctx, key, obj, client.UnsafeDisableDeepCopy) == nil && obj.GetUID() == uid
	}
	return c, nil
}

// untilSeen waits until the cache has reached mark. In a namespace that it does not
// watch, the cache serves no one, so it is never behind.
func (c *core) untilSeen(ctx context.Context, mark Mark) error {
	t := c.trackers.of(mark.Namespace)
	if t == nil {
		return nil
	}
	key := client.ObjectKey{Namespace: mark.Namespace, Name: mark.Name}
	return t.until(ctx, func(seen uint64) bool {
		if mark.Gone != "" {
			return !c.present(ctx, key, mark.Gone)
		}
		return seen >= mark.Version
	})
}

// waitForCache is untilSeen with a timeout.
func (c *core) waitForCache(ctx context.Context, mark Mark) error {
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	return c.untilSeen(ctx, mark)
}

func versionMark(obj client.Object) Mark {
	return Mark{Namespace: obj.GetNamespace(), Version: parseVersion(obj.GetResourceVersion())}
}

func goneMark(obj client.Object) Mark {
	return Mark{Namespace: obj.GetNamespace(), Name: obj.GetName(), Gone: obj.GetUID()}
}

// takeBack deletes an object that this request created and must not keep. It continues
// after the client has gone: nothing of a refused write may remain.
func (c *core) takeBack(ctx context.Context, obj client.Object) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), catchUp)
	defer cancel()
	uid := obj.GetUID()
	err := c.Live.Delete(ctx, obj, client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("take back %s %s: %w", c.kind, obj.GetName(), err)
	}
	return c.untilSeen(ctx, goneMark(obj))
}

// gone returns ErrNotFound for an object that the API server no longer has, once the
// cache has it no longer, too.
func (c *core) gone(ctx context.Context, obj client.Object) error {
	return errors.Join(ErrNotFound, c.waitForCache(ctx, goneMark(obj)))
}

// object is a pointer to a T, and an object of the API.
type object[T any] interface {
	*T
	client.Object
}

// alive returns the objects that are not being deleted.
func alive[T any, P object[T]](items []T) []P {
	out := make([]P, 0, len(items))
	for i := range items {
		if o := P(&items[i]); o.GetDeletionTimestamp().IsZero() {
			out = append(out, o)
		}
	}
	return out
}

// records returns what counts of the objects that are not being deleted.
func records[T any, P object[T]](items []T, of func(P) policy.Secret) []policy.Secret {
	out := make([]policy.Secret, 0, len(items))
	for _, o := range alive[T, P](items) {
		out = append(out, of(o))
	}
	return out
}
