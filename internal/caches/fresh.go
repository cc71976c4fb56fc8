// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// behind is how long a cache may lack an admitted write. It is far longer than a watch
// takes.
const behind = 2 * time.Second

// Writes remembers the namespaces in which this process admitted a write a moment ago.
// Its zero value is ready to use.
type Writes struct {
	mu    sync.Mutex
	at    map[string]time.Time
	swept time.Time
}

// Note remembers a write that is about to be stored.
func (w *Writes) Note(namespace string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if w.at == nil {
		w.at = map[string]time.Time{}
	}
	w.at[namespace] = now
	if now.Sub(w.swept) < behind {
		return
	}
	w.swept = now
	for name, at := range w.at {
		if now.Sub(at) > behind {
			delete(w.at, name)
		}
	}
}

func (w *Writes) recent(namespace string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, ok := w.at[namespace]
	return ok && time.Since(at) <= behind
}

// patience is how long to wait for a list from the API server, when the cache may be
// outdated.
const patience = time.Second

// Fresh returns a reader that has what was written a moment ago. It reads from the
// cache. It asks the API server for lists of a namespace in which this process has just
// admitted a write, for lists while the cache does not follow the API server, and for
// objects that the cache does not have. If the cache does not follow and the API server
// does not answer, it returns the outdated list.
func Fresh(cached, live client.Reader, w *Writes, follows func() bool) client.Reader {
	return fresh{cached, live, w, follows}
}

type fresh struct {
	client.Reader
	live    client.Reader
	writes  *Writes
	follows func() bool
}

// Get implements client.Reader.
func (f fresh) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	err := f.Reader.Get(ctx, key, obj, opts...)
	if apierrors.IsNotFound(err) {
		return f.live.Get(ctx, key, obj, opts...)
	}
	return err
}

// List implements client.Reader.
func (f fresh) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if f.writes.recent((&client.ListOptions{}).ApplyOptions(opts).Namespace) {
		return f.live.List(ctx, list, opts...)
	}
	if !f.follows() {
		soon, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if f.live.List(soon, list, opts...) == nil {
			return nil
		}
	}
	return f.Reader.List(ctx, list, opts...)
}
