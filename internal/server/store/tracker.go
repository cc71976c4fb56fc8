// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// trackers know how far the cache of one kind of object has come: by namespace if each
// has a watch of its own, else under "". They are an event handler of the cache's
// informer, which calls it after the cache has processed an event. The events of each
// watch are in the order of the API server's resourceVersions.
type trackers map[string]*tracker

// newTrackers returns trackers for a watch of each namespace, or for one watch of all
// if namespaces is empty.
func newTrackers(namespaces []string) trackers {
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	ts := make(trackers, len(namespaces))
	for _, namespace := range namespaces {
		ts[namespace] = newTracker()
	}
	return ts
}

// of returns the tracker of the watch that covers a namespace, or nil.
func (ts trackers) of(namespace string) *tracker {
	if t := ts[metav1.NamespaceAll]; t != nil {
		return t
	}
	return ts[namespace]
}

// OnAdd implements cache.ResourceEventHandler.
func (ts trackers) OnAdd(obj any, _ bool) { ts.observe(obj) }

// OnUpdate implements cache.ResourceEventHandler.
func (ts trackers) OnUpdate(_, obj any) { ts.observe(obj) }

// OnDelete implements cache.ResourceEventHandler.
func (ts trackers) OnDelete(obj any) {
	if tomb, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = tomb.Obj
	}
	ts.observe(obj)
}

func (ts trackers) observe(obj any) {
	o, ok := obj.(client.Object)
	if !ok {
		for _, t := range ts { // an object was deleted, but it is unknown which one
			t.observe(0)
		}
		return
	}
	if t := ts.of(o.GetNamespace()); t != nil {
		t.observe(parseVersion(o.GetResourceVersion()))
	}
}

// tracker knows how far one watch has come.
type tracker struct {
	mu      sync.Mutex
	seen    uint64
	changed chan struct{}
}

func newTracker() *tracker { return &tracker{changed: make(chan struct{})} }

// observe records an event and wakes the waiters.
func (t *tracker) observe(version uint64) {
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

// until waits until the condition holds, and checks it after every event.
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

// parseVersion returns a resourceVersion as a number. Invalid versions count as 0.
func parseVersion(v string) uint64 {
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
