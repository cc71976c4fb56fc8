// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// gather is how long changes to a tenant are gathered before they are written. It
// turns a burst of creations into few writes and is not felt by a person.
const gather = 50 * time.Millisecond

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// SetupWithManager starts the controller with mgr. Sources is the cache of Secrets'
// metadata; keys tells of changes to the keyring.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, sources cache.Cache, keys <-chan event.GenericEvent, workers int) error {
	expect(r.Adapter.Name)
	secretMeta := &metav1.PartialObjectMetadata{}
	secretMeta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return builder.ControllerManagedBy(mgr).
		Named(r.Adapter.Name+"bundle").
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](5*time.Millisecond, retryLatest),
		}).
		// The objects themselves: everything that they ask for is in their spec, and
		// an annotation says whether an import is committed.
		Watches(r.Adapter.Prototype, gathered(), builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		// The bundles: drift and deletion are repaired.
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.ofBundle), builder.WithPredicates(contentChanged())).
		// The Secrets that values come from, and foreign Secrets that stood in the way.
		WatchesRawSource(source.Kind(sources, secretMeta,
			handler.TypedEnqueueRequestsFromMapFunc(r.ofSource), predicate.TypedResourceVersionChangedPredicate[*metav1.PartialObjectMetadata]{})).
		// The keyring: values that wait for a key may open now.
		WatchesRawSource(source.Channel(keys, handler.EnqueueRequestsFromMapFunc(r.ofKeys))).
		Complete(r)
}

// gathered enqueues the tenant of an object after a short while.
func gathered() handler.EventHandler {
	add := func(q queue, obj client.Object) {
		q.AddAfter(tenant(obj.GetNamespace()), gather)
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { add(q, e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) { add(q, e.ObjectNew) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { add(q, e.Object) },
	}
}

func tenant(namespace string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: namespace}}
}

// contentChanged leaves out updates of a bundle that changed neither its data nor
// what Latchkey writes on it.
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
	if !r.Adapter.owns(obj.GetName()) {
		return nil
	}
	return []reconcile.Request{tenant(obj.GetNamespace())}
}

// ofSource returns the tenant of a Secret where an object takes its value from it,
// or where it has a bundle's name: a foreign one may have gone.
func (r *Reconciler) ofSource(ctx context.Context, meta *metav1.PartialObjectMetadata) []reconcile.Request {
	if r.Adapter.owns(meta.Name) {
		// Our own bundles are watched as such; here it is the foreign ones that matter.
		if _, blocked := r.blocked.Load(meta.Namespace); !blocked {
			return nil
		}
		r.memos.forget(meta.Namespace) // not too early to try again
		return []reconcile.Request{tenant(meta.Namespace)}
	}
	members, err := r.Adapter.List(ctx, r.Client, meta.Namespace)
	if err != nil {
		return []reconcile.Request{tenant(meta.Namespace)}
	}
	for _, m := range members {
		if m.Item.Source != nil && m.Item.Source.Name == meta.Name {
			return []reconcile.Request{tenant(meta.Namespace)}
		}
	}
	return nil
}

func (r *Reconciler) ofKeys(context.Context, client.Object) []reconcile.Request {
	var out []reconcile.Request
	for _, namespace := range r.memos.forgetWaiting() {
		out = append(out, tenant(namespace))
	}
	return out
}
