// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregation

import (
	"context"
	"errors"
	"fmt"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/certs"
)

// watched returns the objects that are restored, with or without the aggregated APIs.
func watched(apis bool) []*unstructured.Unstructured {
	configuration := &unstructured.Unstructured{}
	configuration.SetAPIVersion("admissionregistration.k8s.io/v1")
	configuration.SetKind("MutatingWebhookConfiguration")
	configuration.SetName(certs.WebhookConfiguration)
	all := []*unstructured.Unstructured{configuration}
	for _, name := range certs.APIServices() {
		if apis {
			o := &unstructured.Unstructured{}
			o.SetGroupVersionKind(kind)
			o.SetName(name)
			all = append(all, o)
		}
	}
	return all
}

// SetupWithManager starts the controller with mgr; it runs on the leader only. Slices
// is the cache that r.Slices reads from. The objects to restore are watched on every
// replica, which remembers them for the time when it leads.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, slices cache.Cache) error {
	if err := mgr.Add(slices); err != nil {
		return err
	}
	for _, name := range certs.APIServices() {
		unregistered.WithLabelValues(name) // the series exists from the start
	}
	// All changes lead to the same request.
	one := []reconcile.Request{{}}
	b := builder.ControllerManagedBy(mgr).
		Named("aggregation").
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		// A server's endpoint became ready, or the last one disappeared.
		WatchesRawSource(source.Kind(slices, &discoveryv1.EndpointSlice{}, handler.TypedEnqueueRequestsFromMapFunc(
			func(context.Context, *discoveryv1.EndpointSlice) []reconcile.Request { return one })))
	for _, o := range watched(r.After > 0) {
		altered.WithLabelValues(o.GetKind(), o.GetName())
		c, err := caches.Named(mgr.GetConfig(), mgr.GetScheme(), o, "", o.GetName(), nil)
		if err != nil {
			return fmt.Errorf("set up the cache of %s: %w", o.GetName(), err)
		}
		if err := errors.Join(r.Seen.Watch(ctx, c, o), mgr.Add(everywhere(c.Start))); err != nil {
			return err
		}
		// An object that makes the API server call Latchkey was deleted.
		b = b.WatchesRawSource(source.Kind(c, o, handler.TypedEnqueueRequestsFromMapFunc(
			func(context.Context, *unstructured.Unstructured) []reconcile.Request { return one })))
	}
	return b.Complete(r)
}

// everywhere is a runnable that runs on every replica, leader or not.
type everywhere func(context.Context) error

// Start implements manager.Runnable.
func (f everywhere) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (everywhere) NeedLeaderElection() bool { return false }
