// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/latchkey-dev/latchkey/internal/watch"
)

// Watch keeps ring in step with the key Secrets in namespace for as long as c
// runs. It may be called before c is started, and does not wait for it.
//
// The caller configures c to select those Secrets by [LabelSealingKey] in that
// namespace alone. Namespace and label are checked again here, because a Secret
// that a tenant labels as a key must never become the key that seals, whatever
// else the cache is used for.
func Watch(ctx context.Context, c cache.Cache, namespace string, ring *Ring) error {
	t := newTracker(log.FromContext(ctx), namespace, ring)
	return watch.Objects(ctx, c, &corev1.Secret{}, t.observe, t.forget)
}

// tracker follows the key Secrets one event at a time. A key is known by its
// Secret as it is now: one that no longer decodes is dropped, so that what a
// replica knows does not depend on when it was started.
type tracker struct {
	log       logr.Logger
	namespace string
	ring      *Ring

	// A cache of several namespaces calls its handlers concurrently.
	mu   sync.Mutex
	keys map[string]Key // by name of the Secret
}

func newTracker(logger logr.Logger, namespace string, ring *Ring) *tracker {
	return &tracker{log: logger.WithName("keyring"), namespace: namespace, ring: ring, keys: map[string]Key{}}
}

func (t *tracker) forget(secret *corev1.Secret) {
	if secret.Namespace == t.namespace {
		t.set(secret.Name, nil)
	}
}

func (t *tracker) observe(secret *corev1.Secret) {
	if secret.Namespace != t.namespace {
		return
	}
	if secret.Labels[LabelSealingKey] != labelTrue {
		t.set(secret.Name, nil) // Not a key, or not any more.
		return
	}
	key, err := DecodeSecret(secret)
	if err != nil {
		t.log.Error(err, "Sealing key is unusable", "secret", secret.Name)
		t.set(secret.Name, nil)
		return
	}
	if _, err := rotateRequested(secret); err != nil {
		t.log.Error(err, "Request for a rotation cannot be read", "secret", secret.Name)
	}
	t.set(secret.Name, &key)
}

// set notes the key of a Secret, nil for none, and tells the ring if that is a
// change.
func (t *tracker) set(name string, key *Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok := t.keys[name]
	switch {
	case key == nil && !ok:
		return
	case key == nil:
		delete(t.keys, name)
	case ok && known.ID == key.ID && known.Created.Equal(key.Created) && known.RotateRequested.Equal(key.RotateRequested):
		return
	default:
		t.keys[name] = *key
	}
	// Still under the lock, so that the ring sees the changes in order.
	t.ring.Replace(slices.Collect(maps.Values(t.keys)))
}
