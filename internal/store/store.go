// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Keyring seals and opens. keyring.Ring is one.
type Keyring interface {
	// Seal seals a value for the object c.
	Seal(c seal.Context, v seal.Value) (string, error)
	// Open returns the value sealed for the object c.
	Open(ctx context.Context, c seal.Context, text string) (seal.Value, error)
}

// Sources asks the cluster what the caller of a request, who is in its context, may do.
type Sources interface {
	// MayGetSecret reports whether the caller may get a native Secret.
	MayGetSecret(ctx context.Context, namespace, name string) (bool, error)
}

// Peers are the other replicas of the server.
type Peers interface {
	// Await waits until every replica that serves has seen what mark says.
	Await(ctx context.Context, mark Mark) error
}

// Mark says what a cache must have seen: an object at a version, or its absence.
type Mark struct {
	// Kind is UserSecret or AgentSecret.
	Kind string
	// Namespace is where it was written or deleted.
	Namespace string
	// Version is a resourceVersion that the cache must have reached; 0 for Gone.
	Version uint64
	// Name and Gone name an object that must no longer be there.
	Name string
	Gone types.UID
}

// Options make a store.
type Options struct {
	// Cache reads; its informers' objects are not copied and must not be changed.
	Cache cache.Cache
	// Namespaces are those that Cache watches, each by itself; none where it watches all
	// at once.
	Namespaces []string
	// Live writes to, and reads from, the API server.
	Live client.WithWatch
	// Keyring seals and opens.
	Keyring Keyring
	// Sources says what callers may take values from, and DigestKey returns the key of
	// the approvals. They may be nil where no secret has a source.
	Sources   Sources
	DigestKey func() (digest.Key, error)
	// Peers may be nil where there is one replica.
	Peers Peers
}

// catchUp is how long a request waits for the caches after its write.
const catchUp = 10 * time.Second

// core is what both kinds' stores share.
type core struct {
	Options
	kind     string
	trackers trackers
	// present tells whether the cache has the object.
	present func(ctx context.Context, key client.ObjectKey, uid types.UID) bool
	// cached and exact read a tenant's records, from the cache and from the API
	// server.
	cached, exact lister
	// limit says which limit a change of a tenant's use exceeds.
	limit func(was, is limits.Use) *limits.Excess
	// unique tells which claims a write is refused for.
	unique func(v1alpha1.ClaimKind) bool
}

func newCore(ctx context.Context, o Options, kind string, prototype client.Object) (*core, error) {
	o.Live = persistent{o.Live}
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

// Seen waits until this replica's cache has seen what mark says. Of a namespace that it
// does not watch it answers nobody, so there it is never behind.
func (c *core) Seen(ctx context.Context, mark Mark) error {
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

// seenSoon is Seen with an end.
func (c *core) seenSoon(ctx context.Context, mark Mark) error {
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	return c.Seen(ctx, mark)
}

// everywhere waits until all replicas have seen mark, so that whoever reads after
// the answer sees the write, whichever replica they reach.
func (c *core) everywhere(ctx context.Context, mark Mark) error {
	waiting, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	mark.Kind = c.kind
	if err := c.Seen(waiting, mark); err != nil || c.Peers == nil {
		return err
	}
	return c.Peers.Await(ctx, mark) // it knows how long a replica that died is waited for
}

func versionMark(obj client.Object) Mark {
	return Mark{Namespace: obj.GetNamespace(), Version: parseVersion(obj.GetResourceVersion())}
}

func goneMark(obj client.Object) Mark {
	return Mark{Namespace: obj.GetNamespace(), Name: obj.GetName(), Gone: obj.GetUID()}
}

// takeBack deletes an object that this request created and lost. It goes on when
// the client has gone: nothing of a loser may remain.
func (c *core) takeBack(ctx context.Context, obj client.Object) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), catchUp)
	defer cancel()
	uid := obj.GetUID()
	err := c.Live.Delete(ctx, obj, client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("take back %s %s: %w", c.kind, obj.GetName(), err)
	}
	return c.Seen(ctx, goneMark(obj))
}

// exactly lists a tenant as it was at a resourceVersion.
func exactly(namespace, version string) []client.ListOption {
	return []client.ListOption{
		client.InNamespace(namespace),
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version, ResourceVersionMatch: metav1.ResourceVersionMatchExact}},
	}
}
