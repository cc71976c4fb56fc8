// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package repair restores the objects of Latchkey's own namespace that are deleted
// while Latchkey runs, and corrects those that others rely on when somebody changes them.
// A restored object has the same content as before, as far as the process still has it,
// so the deletion has no effect on users.
//
// The package reads the names of the Secrets and ConfigMaps of that namespace from a
// cache. Each [Item] knows how to restore itself. An uninstall needs no special
// handling: nothing outside the namespace waits for these objects when Latchkey is
// gone.
package repair

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Item is one object that is restored.
type Item struct {
	// Kind is Secret or ConfigMap.
	Kind string
	// Name is its name in Latchkey's own namespace.
	Name string
	// PutBack creates it again. It returns nil if it exists already.
	PutBack func(context.Context) error
	// Corrects reports whether PutBack also corrects one that is there, so that it is
	// called when somebody has changed it. It writes nothing where nothing is wrong.
	Corrects bool
}

type request struct{ kind, name string }

// Controller restores items. It runs on the leader only.
type Controller struct {
	// Objects reads the metadata of Secrets and ConfigMaps of Latchkey's own
	// namespace from a cache.
	Objects client.Reader
	// Namespace is Latchkey's own.
	Namespace string
	// Items are the objects to restore.
	Items []Item
}

// Reconcile restores an item that is missing, or corrects it.
func (c *Controller) Reconcile(ctx context.Context, r request) (ctrl.Result, error) {
	item, ok := c.item(r)
	if !ok {
		return ctrl.Result{}, nil
	}
	err := c.Objects.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: item.Name}, metadata(item.Kind))
	there := err == nil
	switch {
	case there && !item.Corrects:
		return ctrl.Result{}, nil
	case !there && !apierrors.IsNotFound(err):
		return ctrl.Result{}, fmt.Errorf("look for %s %s: %w", item.Kind, item.Name, err)
	}
	if err := item.PutBack(ctx); err != nil {
		return ctrl.Result{}, fmt.Errorf("restore %s %s: %w", item.Kind, item.Name, err)
	}
	if there {
		return ctrl.Result{}, nil // PutBack alone knows whether anything was wrong
	}
	ctrl.LoggerFrom(ctx).Info("Restored a deleted object", "kind", item.Kind, "name", item.Name)
	return ctrl.Result{}, nil
}

func (c *Controller) item(r request) (Item, bool) {
	for _, i := range c.Items {
		if i.Kind == r.kind && i.Name == r.name {
			return i, true
		}
	}
	return Item{}, false
}

// SetupWithManager starts the controller with mgr. Objects is the cache that c.Objects
// reads from.
func (c *Controller) SetupWithManager(mgr ctrl.Manager, objects cache.Cache) error {
	b := builder.TypedControllerManagedBy[request](mgr).
		Named("repair").
		WithLogConstructor(func(*request) logr.Logger { return mgr.GetLogger().WithValues("controller", "repair") }).
		WithOptions(controller.TypedOptions[request]{MaxConcurrentReconciles: 1}).
		// Items that were deleted while no replica led.
		WatchesRawSource(source.TypedFunc[request](func(_ context.Context, q workqueue.TypedRateLimitingInterface[request]) error {
			for _, i := range c.Items {
				q.Add(request{kind: i.Kind, name: i.Name})
			}
			return nil
		}))
	for _, kind := range []string{"Secret", "ConfigMap"} {
		// Items that are deleted or changed.
		b = b.WatchesRawSource(source.TypedKind(objects, metadata(kind), handler.TypedEnqueueRequestsFromMapFunc(
			func(_ context.Context, m *metav1.PartialObjectMetadata) []request {
				r := request{kind: kind, name: m.Name}
				if _, ours := c.item(r); !ours {
					return nil
				}
				return []request{r}
			})))
	}
	return b.Complete(c)
}

// metadata returns empty metadata of a kind.
func metadata(kind string) *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	return m
}
