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

// watched are the objects that are put back: with the aggregated APIs, or without.
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

// SetupWithManager starts the controller with mgr. Slices is the cache that r.Slices
// reads from; the controller runs on the leader only. What is to be put back is watched
// on every replica, which remembers it for when it leads.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, slices cache.Cache) error {
	if err := mgr.Add(slices); err != nil {
		return err
	}
	for _, name := range certs.APIServices() {
		unregistered.WithLabelValues(name) // the series is there before there is anything to say
	}
	// There is one thing to look at, whatever changed.
	one := []reconcile.Request{{}}
	b := builder.ControllerManagedBy(mgr).
		Named("aggregation").
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		// The servers' endpoints: one becomes ready, the last one goes.
		WatchesRawSource(source.Kind(slices, &discoveryv1.EndpointSlice{}, handler.TypedEnqueueRequestsFromMapFunc(
			func(context.Context, *discoveryv1.EndpointSlice) []reconcile.Request { return one })))
	for _, o := range watched(r.After > 0) {
		c, err := caches.Named(mgr.GetConfig(), mgr.GetScheme(), o, "", o.GetName(), nil)
		if err != nil {
			return fmt.Errorf("set up the cache of %s: %w", o.GetName(), err)
		}
		if err := errors.Join(r.Seen.Watch(ctx, c, o), mgr.Add(everywhere(c.Start))); err != nil {
			return err
		}
		// What the API server asks Latchkey by: somebody deletes it.
		b = b.WatchesRawSource(source.Kind(c, o, handler.TypedEnqueueRequestsFromMapFunc(
			func(context.Context, *unstructured.Unstructured) []reconcile.Request { return one })))
	}
	return b.Complete(r)
}

// everywhere is a runnable of every replica, leader or not.
type everywhere func(context.Context) error

// Start implements manager.Runnable.
func (f everywhere) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (everywhere) NeedLeaderElection() bool { return false }
