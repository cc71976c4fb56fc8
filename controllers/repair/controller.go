// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package repair puts back what Latchkey keeps in its own namespace when somebody
// deletes it while Latchkey runs. What is put back is the same as before, as far as the
// process still has it, so that nobody notices.
//
// It reads names of Secrets and ConfigMaps of that namespace from a cache, and leaves
// to each [Item] how it is made again. It knows no uninstall: what is kept in the
// namespace makes nobody wait when Latchkey is gone.
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

// Item is one object that is put back.
type Item struct {
	// Kind is Secret or ConfigMap.
	Kind string
	// Name is its name in Latchkey's own namespace.
	Name string
	// PutBack makes it again. It returns nil if somebody else has done so.
	PutBack func(context.Context) error
}

type request struct{ kind, name string }

// Controller puts items back. It runs on the leader only.
type Controller struct {
	// Objects reads the metadata of Secrets and ConfigMaps of Latchkey's own
	// namespace from a cache.
	Objects client.Reader
	// Namespace is Latchkey's own.
	Namespace string
	// Items are what is put back.
	Items []Item
}

// Reconcile puts an item back that is not there.
func (c *Controller) Reconcile(ctx context.Context, r request) (ctrl.Result, error) {
	item, ok := c.item(r)
	if !ok {
		return ctrl.Result{}, nil
	}
	err := c.Objects.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: item.Name}, metadata(item.Kind))
	if err == nil {
		return ctrl.Result{}, nil
	}
	if !apierrors.IsNotFound(err) {
		return ctrl.Result{}, fmt.Errorf("look for %s %s: %w", item.Kind, item.Name, err)
	}
	if err := item.PutBack(ctx); err != nil {
		return ctrl.Result{}, fmt.Errorf("put %s %s back: %w", item.Kind, item.Name, err)
	}
	ctrl.LoggerFrom(ctx).Info("Put back what was deleted", "kind", item.Kind, "name", item.Name)
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
		// What was deleted while nobody led.
		WatchesRawSource(source.TypedFunc[request](func(_ context.Context, q workqueue.TypedRateLimitingInterface[request]) error {
			for _, i := range c.Items {
				q.Add(request{kind: i.Kind, name: i.Name})
			}
			return nil
		}))
	for _, kind := range []string{"Secret", "ConfigMap"} {
		// Items that are deleted.
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
