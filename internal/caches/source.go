// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// View returns a view of the known versions. A controller watches it as a source.
// requests returns what to reconcile when a Secret changed that was asked for, or for
// which also returns true.
func (v *Versions) View(also func(name string) bool, requests func(namespace, name string) []reconcile.Request) *View {
	return &View{of: v, also: also, requests: requests, known: map[string]map[string]*found{}}
}

// Start implements source.Source.
func (w *View) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.tell = func(namespace, name string) {
		for _, r := range w.requests(namespace, name) {
			queue.Add(r)
		}
	}
	w.of.views = append(w.of.views, w)
	return nil
}

// WaitForSync implements source.SyncingSource: it waits until events are followed.
func (w *View) WaitForSync(ctx context.Context) error {
	select {
	case <-w.of.synced:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
