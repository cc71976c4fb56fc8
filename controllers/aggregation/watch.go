// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregation

import (
	"context"

	discoveryv1 "k8s.io/api/discovery/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/latchkey-dev/latchkey/internal/certs"
)

// SetupWithManager starts the controller with mgr. Slices is the cache that r.Slices
// reads from. Both run on the leader only.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, slices cache.Cache) error {
	if err := mgr.Add(slices); err != nil {
		return err
	}
	for _, name := range certs.APIServices() {
		withdrawn.WithLabelValues(name) // the series is there before there is anything to say
	}
	// There is one thing to look at, whatever changed.
	one := handler.TypedEnqueueRequestsFromMapFunc(func(context.Context, *discoveryv1.EndpointSlice) []reconcile.Request {
		return []reconcile.Request{{}}
	})
	return builder.ControllerManagedBy(mgr).
		Named("aggregation").
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		// The servers' endpoints: one becomes ready, the last one goes.
		WatchesRawSource(source.Kind(slices, &discoveryv1.EndpointSlice{}, one)).
		Complete(r)
}
