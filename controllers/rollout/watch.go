// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"fmt"
	"maps"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

type queue = workqueue.TypedRateLimitingInterface[Workload]

// NewCache returns a cache of the workloads of the namespaces that are keys of tenants,
// or of all namespaces if it is empty. It reads metadata only and stores names and the
// annotations of this package.
func NewCache(mgr ctrl.Manager, tenants map[string]cache.Config) (cache.Cache, error) {
	return cache.New(mgr.GetConfig(), cache.Options{Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), DefaultTransform: reduce, DefaultNamespaces: tenants})
}

// reduce reduces a workload's metadata to what the reconciler reads.
func reduce(obj any) (any, error) {
	m, ok := obj.(*metav1.PartialObjectMetadata)
	if !ok {
		return obj, nil
	}
	m.ObjectMeta = metav1.ObjectMeta{
		Namespace:         m.Namespace,
		Name:              m.Name,
		UID:               m.UID,
		ResourceVersion:   m.ResourceVersion,
		CreationTimestamp: m.CreationTimestamp,
		DeletionTimestamp: m.DeletionTimestamp,
		Annotations:       annotations(m),
	}
	return m, nil
}

// annotations returns the annotations that belong to this package.
func annotations(m *metav1.PartialObjectMetadata) map[string]string {
	var own map[string]string
	for _, name := range []string{AnnotationRestart, AnnotationContentHash} {
		if value, ok := m.Annotations[name]; ok {
			if own == nil {
				own = map[string]string{}
			}
			own[name] = value
		}
	}
	return own
}

// SetupWithManager starts the controller with mgr, and workloads, the cache that
// NewCache returns and r.Workloads reads from. Both run on the leader only. own is a
// cache of the names of Latchkey's own ConfigMaps.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, workloads, own cache.Cache) error {
	if err := mgr.Add(workloads); err != nil {
		return err
	}
	expect()
	b := builder.TypedControllerManagedBy[Workload](mgr).
		Named("rollout").
		WithLogConstructor(func(w *Workload) logr.Logger {
			log := mgr.GetLogger().WithValues("controller", "rollout")
			if w != nil {
				log = log.WithValues("kind", w.Kind, "namespace", w.Namespace, "name", w.Name)
			}
			return log
		}).
		// One worker needs no locks. It has little to do: reads from caches, and a few
		// writes, which places and pace bound.
		WithOptions(controller.TypedOptions[Workload]{MaxConcurrentReconciles: 1}).
		// Workloads whose turn it is.
		WatchesRawSource(source.TypedFunc[Workload](func(_ context.Context, q queue) error {
			r.Wake = waker(q)
			return nil
		})).
		// The record was deleted.
		WatchesRawSource(source.TypedKind(own, configMap(), recordEvents())).
		// The bundles: their content is what pods are started with.
		Watches(&corev1.Secret{}, bundleEvents(r.ofTenant))
	for _, kind := range kinds {
		// The workloads: they opt in and out, and their digests may be changed.
		b = b.WatchesRawSource(source.TypedKind(workloads, meta(kind), workloadEvents(kind)))
	}
	return b.Complete(r)
}

// first is the priority of workloads whose turn it is. Others have 0 at most.
const first = 100

// waker returns a function that enqueues workloads with a higher priority than those
// that only changed: a tenant can cause many changes.
func waker(q queue) func(Workload) {
	return func(w Workload) {
		if p, ok := q.(priorityqueue.PriorityQueue[Workload]); ok {
			p.AddWithOpts(priorityqueue.AddOpts{Priority: new(first)}, w)
			return
		}
		q.Add(w)
	}
}

// workloadEvents enqueues workloads of a kind that are or were opted in.
func workloadEvents(kind string) handler.TypedEventHandler[*metav1.PartialObjectMetadata, Workload] {
	add := func(q queue, m *metav1.PartialObjectMetadata) {
		if m.Annotations[AnnotationRestart] != "" {
			q.Add(workload(kind, m))
		}
	}
	return handler.TypedFuncs[*metav1.PartialObjectMetadata, Workload]{
		CreateFunc: func(_ context.Context, e event.TypedCreateEvent[*metav1.PartialObjectMetadata], q queue) {
			add(q, e.Object)
		},
		UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[*metav1.PartialObjectMetadata], q queue) {
			// Status updates are frequent and change no annotation.
			if !maps.Equal(e.ObjectOld.Annotations, e.ObjectNew.Annotations) || e.ObjectOld.UID != e.ObjectNew.UID {
				add(q, e.ObjectOld)
				add(q, e.ObjectNew)
			}
		},
		DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[*metav1.PartialObjectMetadata], q queue) {
			add(q, e.Object)
		},
	}
}

// configMap returns empty metadata of a ConfigMap.
func configMap() *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	return m
}

// recordEvents enqueues the record when it is deleted.
func recordEvents() handler.TypedEventHandler[*metav1.PartialObjectMetadata, Workload] {
	return handler.TypedFuncs[*metav1.PartialObjectMetadata, Workload]{
		DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[*metav1.PartialObjectMetadata], q queue) {
			if e.Object.Name == RecordName {
				q.Add(recordGone)
			}
		},
	}
}

// bundleEvents enqueues the workloads of a tenant when the content of its bundles
// changes.
func bundleEvents(of func(context.Context, string) ([]Workload, error)) handler.TypedEventHandler[client.Object, Workload] {
	add := func(ctx context.Context, q queue, obj client.Object) {
		workloads, err := of(ctx, obj.GetNamespace())
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "Cannot find the workloads of a tenant", "namespace", obj.GetNamespace())
		}
		for _, w := range workloads {
			q.Add(w)
		}
	}
	return handler.TypedFuncs[client.Object, Workload]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[client.Object], q queue) { add(ctx, q, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[client.Object], q queue) {
			if e.ObjectOld.GetAnnotations()[v1alpha1.AnnotationMAC] != e.ObjectNew.GetAnnotations()[v1alpha1.AnnotationMAC] {
				add(ctx, q, e.ObjectNew)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.TypedDeleteEvent[client.Object], q queue) { add(ctx, q, e.Object) },
	}
}

// ofTenant returns the workloads of a tenant that are opted in.
func (r *Reconciler) ofTenant(ctx context.Context, namespace string) ([]Workload, error) {
	var out []Workload
	for _, kind := range kinds {
		list := metaList(kind)
		if err := r.Workloads.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("list metadata of %ss: %w", kind, err)
		}
		for i := range list.Items {
			if wantsRestarts(&list.Items[i]) {
				out = append(out, workload(kind, &list.Items[i]))
			}
		}
	}
	return out, nil
}
