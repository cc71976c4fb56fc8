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
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/watch"
)

const (
	// AnnotationUninstall says, with any value, that an object is about to be deleted
	// for good.
	AnnotationUninstall = "latchkey.dev/uninstall"

	// grace is how long an object is absent before it is restored. An uninstall deletes
	// many objects at once, Latchkey's rights and Services among them.
	grace = 2 * time.Second
)

// Seen remembers the objects that make the API server call Latchkey, as they were last
// seen, so that they can be restored when they are deleted. It remembers them in memory
// only: what was deleted while no controller ran stays deleted.
type Seen struct {
	mu    sync.Mutex
	saved map[string]saved
	// gone is when the absence of an object was noticed.
	gone map[string]time.Time
	// corrected is when an object was corrected lately.
	corrected map[string][]time.Time
}

// Watch updates s with the objects of a kind and name, as seen through c.
func (s *Seen) Watch(ctx context.Context, c cache.Cache, object *unstructured.Unstructured) error {
	return watch.Objects(ctx, c, object, s.see, func(o *unstructured.Unstructured) {
		if leaves(o) {
			s.forget(o.GetName())
		}
	})
}

// leaves reports whether an object is about to be deleted for good.
func leaves(o *unstructured.Unstructured) bool {
	_, marked := o.GetAnnotations()[AnnotationUninstall]
	return marked
}

// see records an object, unless somebody altered it, or that it is not to be restored.
func (s *Seen) see(o *unstructured.Unstructured) {
	if leaves(o) {
		s.forget(o.GetName())
		return
	}
	s.mu.Lock()
	was, known := s.saved[o.GetName()]
	delete(s.gone, o.GetName())
	s.mu.Unlock()
	if !known || was.declares(o) || was.holds(o) && !corrected(o) {
		s.accept(o)
	}
}

// accept records an object as it is.
func (s *Seen) accept(o *unstructured.Unstructured) {
	k, err := save(o)
	if err != nil {
		return // nothing to restore
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved == nil {
		s.saved = map[string]saved{}
	}
	s.saved[o.GetName()] = k
}

// forget removes an object.
func (s *Seen) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.saved, name)
	delete(s.gone, name)
}

// all returns the objects that must exist.
func (s *Seen) all() map[string]saved {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.saved)
}

// since returns when the absence of an object was noticed.
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

// putBack restores the objects that are missing, and corrects those that were altered. It returns when to check again.
func (r *Reconciler) putBack(ctx context.Context) (wait time.Duration, err error) {
	now := r.Clock.Now()
	all := r.Seen.all()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		k := all[name]
		there := &unstructured.Unstructured{}
		there.SetGroupVersionKind(k.Object.GroupVersionKind())
		err := r.Live.Get(ctx, client.ObjectKey{Name: name}, there)
		if err == nil {
			if err := r.correct(ctx, k, there, now); err != nil {
				return 0, err
			}
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
		ctrl.LoggerFrom(ctx).Info("Restored a deleted object", "kind", k.Object.GetKind(), "name", name)
	}
	return wait, nil
}

// apply applies an object as its owner. The right to apply can be limited to the name;
// the right to create cannot.
func (r *Reconciler) apply(ctx context.Context, k saved) error {
	if err := r.Live.Apply(ctx, client.ApplyConfigurationFromUnstructured(k.Object.DeepCopy()), client.FieldOwner(k.Owner)); err != nil {
		return fmt.Errorf("apply %s %s: %w", k.Object.GetKind(), k.Object.GetName(), err)
	}
	return nil
}
