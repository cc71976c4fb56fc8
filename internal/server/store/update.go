// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Update changes one secret. It is refused like Create, or with ErrNotFound.
func (s *Users) Update(ctx context.Context, namespace, name string, change UserChange) (*v1alpha1.UserSecret, error) {
	unlock, err := s.lock(ctx, namespace)
	if err != nil {
		return nil, err
	}
	defer unlock()
	for range tries {
		before, err := s.stored(ctx, namespace, name)
		if errors.Is(err, errReplaced) {
			continue
		}
		if err != nil {
			return nil, err
		}
		after := before.DeepCopy()
		if err := s.change(ctx, before, after, change); err != nil {
			return nil, err
		}
		if err := s.approve(ctx, before, after); err != nil {
			return nil, err
		}
		was := bundle.OfUser(before)
		p := policy.Change{Secret: bundle.OfUser(after), Before: &was}
		if err := s.check(ctx, namespace, []policy.Change{p}); err != nil {
			return nil, err
		}
		if err = s.replace(ctx, before, after, p); !apierrors.IsConflict(err) {
			return after, err
		}
	}
	return nil, fmt.Errorf("%w: the secret keeps changing", ErrUnavailable)
}

// errReplaced is the error for an object that was deleted and created again.
var errReplaced = errors.New("another object has the name now")

// stored returns the secret as the API server has it. The cache has no sealed values of user
// secrets, and not all of their metadata: written back, such an object would lose what was
// left out. The cache has the returned version, too.
func (s *Users) stored(ctx context.Context, namespace, name string) (*v1alpha1.UserSecret, error) {
	cached, err := s.Get(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	live := &v1alpha1.UserSecret{}
	err = s.Live.Get(ctx, client.ObjectKeyFromObject(cached), live)
	switch {
	case apierrors.IsNotFound(err):
		return nil, s.gone(ctx, cached)
	case err != nil:
		return nil, refused("read UserSecret", err)
	}
	if err := s.waitForCache(ctx, versionMark(live)); err != nil {
		return nil, err
	}
	if live.UID != cached.UID {
		return nil, errReplaced
	}
	return live, nil
}

// replace writes after in place of before, if no one else wrote in the meantime and the
// policy.Change may stay.
func (s *Users) replace(ctx context.Context, before, after *v1alpha1.UserSecret, p policy.Change) error {
	err := s.Live.Update(ctx, after)
	switch {
	case apierrors.IsConflict(err):
		// Another client wrote it, and the cache does not have that write yet. The live
		// version tells how long to wait for the cache.
		live := &v1alpha1.UserSecret{}
		if gerr := s.Live.Get(ctx, client.ObjectKeyFromObject(before), live); gerr == nil {
			return errors.Join(err, s.waitForCache(ctx, versionMark(live)))
		} else if apierrors.IsNotFound(gerr) {
			return s.gone(ctx, before)
		}
		return err
	case apierrors.IsNotFound(err):
		return s.gone(ctx, before)
	case err != nil:
		return refused("update UserSecret", err)
	}
	if err := s.confirm(ctx, after.Namespace, []policy.Change{p}, after.ResourceVersion); err != nil {
		return unlessUnjudged(err, func() error { return s.restore(ctx, before, after) })
	}
	return nil
}

// change applies a change to after, which is a copy of before.
func (s *Users) change(ctx context.Context, before, after *v1alpha1.UserSecret, change UserChange) error {
	for _, f := range []struct{ field, to *string }{
		{&after.Spec.Description, change.Description},
		{&after.Spec.EnvName, change.EnvName},
		{&after.Spec.FilePath, change.FilePath},
	} {
		if f.to != nil {
			*f.field = *f.to
		}
	}
	if change.Enabled != nil {
		after.Spec.Enabled = change.Enabled
	}
	another := false
	if change.Value != nil {
		// Seal before comparing, so that the time of the answer does not reveal whether
		// the values are equal.
		at := binding.User(after.Namespace, after.Name)
		text, err := s.Keyring.Seal(at, *change.Value)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		if another = !s.holdsValue(ctx, at, before.Spec.SealedValue, *change.Value); another {
			after.Spec.SealedValue, after.Spec.ValueFrom = text, nil
		}
	}
	touch(before, after, another, time.Now())
	return nil
}

// holdsValue reports whether a sealed value is v.
func (s *Users) holdsValue(ctx context.Context, at seal.Context, text string, v seal.Value) bool {
	if text == "" {
		return false
	}
	was, err := s.Keyring.Open(ctx, at, text)
	return err == nil && was.Equal(v)
}

// restore undoes an update that lost to a write that did not come through REST. It does
// nothing if the spec was written since: that write stands. It continues after the
// client has gone.
func (s *Users) restore(ctx context.Context, before, after *v1alpha1.UserSecret) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), catchUp)
	defer cancel()
	for range tries {
		live := &v1alpha1.UserSecret{}
		if err := s.Live.Get(ctx, client.ObjectKeyFromObject(after), live); err != nil {
			return client.IgnoreNotFound(err)
		}
		if live.UID != after.UID || live.Generation != after.Generation {
			return nil
		}
		restored := live.DeepCopy()
		restored.Spec = before.Spec
		setAnnotation(restored, v1alpha1.AnnotationUpdatedAt, before.Annotations[v1alpha1.AnnotationUpdatedAt])
		if err := s.reapprove(live, before, restored); err != nil {
			return err
		}
		err := s.Live.Update(ctx, restored)
		if err == nil {
			return s.waitForCache(ctx, versionMark(restored))
		}
		if !apierrors.IsConflict(err) {
			return refused("undo the update of UserSecret", err)
		}
	}
	return fmt.Errorf("%w: undo the update of UserSecret: it keeps changing", ErrUnavailable)
}
