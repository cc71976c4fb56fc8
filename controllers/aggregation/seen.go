// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// AnnotationUninstall says, set to anything, that an object is about to be deleted
	// for good.
	AnnotationUninstall = "latchkey.dev/uninstall"

	// grace is how long an object is gone before it is put back: who takes Latchkey out
	// of a cluster deletes many at once, and the rights and Services are among them.
	grace = 2 * time.Second
)

// Seen remembers the objects by which the API server is made to ask Latchkey, as they
// were last seen, so that they can be put back when somebody deletes one. It keeps them
// in memory only: what was deleted while no controller ran stays deleted.
type Seen struct {
	mu   sync.Mutex
	saved map[string]saved
	// gone is since when objects are known to be gone.
	gone map[string]time.Time
}

// Watch keeps s in step with the objects of a kind and name, as seen through c.
func (s *Seen) Watch(ctx context.Context, c cache.Cache, object client.Object) error {
	informer, err := c.GetInformer(ctx, object, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch %s: %w", object.GetObjectKind().GroupVersionKind().Kind, err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    s.see,
		UpdateFunc: func(_, obj any) { s.see(obj) },
		DeleteFunc: func(obj any) {
			if last, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
				obj = last.Obj
			}
			if o, ok := obj.(*unstructured.Unstructured); ok && leaves(o) {
				s.forget(o.GetName())
			}
		},
	})
	return err
}

// leaves reports whether an object is about to be deleted for good.
func leaves(o *unstructured.Unstructured) bool {
	_, marked := o.GetAnnotations()[AnnotationUninstall]
	return marked
}

// see notes an object, or that it is not to be put back.
func (s *Seen) see(obj any) {
	o, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return
	}
	if leaves(o) {
		s.forget(o.GetName())
		return
	}
	k, err := save(o)
	if err != nil {
		return // there is nothing to put back
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved == nil {
		s.saved = map[string]saved{}
	}
	s.saved[o.GetName()] = k
	delete(s.gone, o.GetName())
}

// forget lets an object go.
func (s *Seen) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.saved, name)
	delete(s.gone, name)
}

// all returns what is to be there.
func (s *Seen) all() map[string]saved {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.saved)
}

// since returns since when an object is known to be gone.
func (s *Seen) since(name string, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone == nil {
		s.gone = map[string]time.Time{}
	}
	if _, known := s.gone[name]; !known {
		s.gone[name] = now
	}
	return s.gone[name]
}

// putBack applies again what was seen and is gone. It returns when to look again.
func (r *Reconciler) putBack(ctx context.Context) (wait time.Duration, err error) {
	now := r.Clock.Now()
	all := r.Seen.all()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		k := all[name]
		there := &unstructured.Unstructured{}
		there.SetGroupVersionKind(k.Object.GroupVersionKind())
		err := r.Live.Get(ctx, client.ObjectKey{Name: name}, there)
		if err == nil {
			continue
		}
		if !apierrors.IsNotFound(err) {
			return 0, fmt.Errorf("read %s %s: %w", k.Object.GetKind(), name, err)
		}
		if early := grace - now.Sub(r.Seen.since(name, now)); early > 0 {
			wait = max(wait, early)
			continue
		}
		if err := r.apply(ctx, k); err != nil {
			return 0, err
		}
		ctrl.LoggerFrom(ctx).Info("Put back what was deleted", "kind", k.Object.GetKind(), "name", name)
	}
	return wait, nil
}

// apply makes an object again, as its owner. By apply, since a right to that can be
// narrowed to the name.
func (r *Reconciler) apply(ctx context.Context, k saved) error {
	if err := r.Live.Apply(ctx, client.ApplyConfigurationFromUnstructured(k.Object.DeepCopy()), client.FieldOwner(k.Owner)); err != nil {
		return fmt.Errorf("apply %s %s: %w", k.Object.GetKind(), k.Object.GetName(), err)
	}
	return nil
}
