// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// tracker knows how far the cache of one kind of object has come. It is an event
// handler of the cache's informer, which calls it after the cache took an event
// in, in the order of the API server's resourceVersions.
type tracker struct {
	mu      sync.Mutex
	seen    uint64
	changed chan struct{}
}

func newTracker() *tracker { return &tracker{changed: make(chan struct{})} }

// OnAdd implements cache.ResourceEventHandler.
func (t *tracker) OnAdd(obj any, _ bool) { t.observe(obj) }

// OnUpdate implements cache.ResourceEventHandler.
func (t *tracker) OnUpdate(_, obj any) { t.observe(obj) }

// OnDelete implements cache.ResourceEventHandler.
func (t *tracker) OnDelete(obj any) {
	if tomb, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = tomb.Obj
	}
	t.observe(obj)
}

func (t *tracker) observe(obj any) {
	var version uint64
	if o, ok := obj.(client.Object); ok {
		version = parseVersion(o.GetResourceVersion())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen = max(t.seen, version)
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *tracker) state() (seen uint64, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen, t.changed
}

// until waits until the condition holds, looking at it after every event.
func (t *tracker) until(ctx context.Context, condition func(seen uint64) bool) error {
	for {
		seen, changed := t.state()
		if condition(seen) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: the cache did not catch up with a write: %w", ErrUnavailable, ctx.Err())
		}
	}
}

// parseVersion returns a resourceVersion as a number. What is none counts as 0.
func parseVersion(v string) uint64 {
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
