// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/latchkey-dev/latchkey/internal/caches"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// SetupWithManager starts the controller with mgr. secrets provides the versions of
// other Secrets; keys has an event when the keyring changes.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, secrets *caches.Versions, keys <-chan event.GenericEvent, workers int) error {
	expect(r.Adapter.Name)
	view := secrets.View(r.Adapter.owns, r.ofSecret)
	r.Sources = view
	return builder.ControllerManagedBy(mgr).
		Named(r.Adapter.Name+"bundle").
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](5*time.Millisecond, retryLatest),
		}).
		// The objects themselves: their spec has everything that they ask for, and an
		// annotation says whether an import is committed.
		Watches(r.Adapter.Prototype, enqueued(), builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		// The bundles, to repair drift and deletion.
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.ofBundle), builder.WithPredicates(contentChanged())).
		// The Secrets that values come from, and foreign Secrets that blocked a bundle.
		WatchesRawSource(view).
		// The keyring: values that wait for a key may open now.
		WatchesRawSource(source.Channel(keys, handler.EnqueueRequestsFromMapFunc(r.ofKeys))).
		Complete(r)
}

// enqueued enqueues the tenant of an object. Objects that exist when the controller
// starts have a lower priority than changes.
func enqueued() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, obj client.Object) []reconcile.Request {
		return []reconcile.Request{tenant(obj.GetNamespace())}
	})
}

func tenant(namespace string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: namespace}}
}

// contentChanged drops updates of a bundle that changed neither its data nor the
// metadata that Latchkey writes.
func contentChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, ok := e.ObjectOld.(*corev1.Secret)
		is, ok2 := e.ObjectNew.(*corev1.Secret)
		if !ok || !ok2 {
			return true
		}
		for label, value := range was.Labels {
			if is.Labels[label] != value {
				return true
			}
		}
		for key, value := range was.Annotations {
			if is.Annotations[key] != value {
				return true
			}
		}
		return is.StringData[cachedMAC] != was.StringData[cachedMAC]
	}}
}

func (r *Reconciler) ofBundle(_ context.Context, obj client.Object) []reconcile.Request {
	if !r.Adapter.owns(obj.GetName()) || r.own.expected(obj.GetNamespace(), obj.GetName(), obj.GetResourceVersion()) {
		return nil
	}
	return []reconcile.Request{tenant(obj.GetNamespace())}
}

// ofSecret returns the tenant of a Secret that an object takes its value from, or that
// has the name of a bundle and blocked it: it may have been deleted.
func (r *Reconciler) ofSecret(namespace, name string) []reconcile.Request {
	if r.Adapter.owns(name) {
		// Our own bundles have a watch of their own.
		if _, blocked := r.blocked.Load(namespace); !blocked {
			return nil
		}
		r.memos.forget(namespace) // so that it is tried again at once
	}
	return []reconcile.Request{tenant(namespace)}
}

func (r *Reconciler) ofKeys(context.Context, client.Object) []reconcile.Request {
	var out []reconcile.Request
	for _, namespace := range r.memos.forgetWaiting() {
		out = append(out, tenant(namespace))
	}
	return out
}
