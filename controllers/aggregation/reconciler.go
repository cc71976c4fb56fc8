// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregation

import (
	"context"
	"fmt"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Reconciler registers the APIs while a server is ready. It is used by one worker.
type Reconciler struct {
	// Slices reads EndpointSlices, from a cache.
	Slices client.Reader
	// Live reads and writes APIServices and the ConfigMap.
	Live client.Client
	// Clock tells the time.
	Clock clock.PassiveClock
	// Namespace is Latchkey's own.
	Namespace string
	// After is how long no server may be ready before the APIs are unregistered; 0
	// disables it.
	After time.Duration

	// Seen has the objects that are restored when they are deleted.
	Seen *Seen

	// counted reports whether EndpointSlices existed since this process leads. If they
	// disappear afterwards, the Service was deleted, and Latchkey is being uninstalled.
	counted bool
	// idleSince is when no server was first seen ready; zero while one is.
	idleSince time.Time
}

// Reconcile registers or unregisters the APIs as needed.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	serving, known, err := r.serving(ctx)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case !known && r.counted:
		return reconcile.Result{}, nil
	case !known: // the Service is not managed by selector
		wait, err := r.putBack(ctx)
		return reconcile.Result{RequeueAfter: wait}, err
	case serving:
		r.idleSince, r.counted = time.Time{}, true
		if err := r.restore(ctx); err != nil {
			return reconcile.Result{}, err
		}
		wait, err := r.putBack(ctx)
		return reconcile.Result{RequeueAfter: wait}, err
	}
	r.counted = true
	if r.After == 0 {
		return reconcile.Result{}, nil
	}
	now := r.Clock.Now()
	if r.idleSince.IsZero() {
		r.idleSince = now
	}
	if left := r.After - now.Sub(r.idleSince); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	// Check again later: the manifests may be applied while no server is ready.
	return reconcile.Result{RequeueAfter: r.After}, r.unregister(ctx)
}

// serving reports whether a server is ready, and whether that is known: it is not for a
// Service without a selector.
func (r *Reconciler) serving(ctx context.Context) (serving, known bool, err error) {
	list := &discoveryv1.EndpointSliceList{}
	if err := r.Slices.List(ctx, list, client.InNamespace(r.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: ServiceName}); err != nil {
		return false, false, fmt.Errorf("list EndpointSlices of %s: %w", ServiceName, err)
	}
	for i := range list.Items {
		for _, e := range list.Items[i].Endpoints {
			if ptr.Deref(e.Conditions.Ready, true) {
				return true, true, nil
			}
		}
	}
	return false, len(list.Items) > 0, nil
}
