// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/policy"
)

// An import creates several objects, all or none, although the API server writes one at
// a time. Its objects are created pending: they hold their claims, but are neither
// shown nor projected. One write commits the import: the one that marks its first
// object committed. From then on all of its objects count. After a crash before that
// write, the controller deletes the pending objects. After a crash behind it, the
// controller finishes them.

// createBatch creates the secrets, all or none.
func (s *Users) createBatch(ctx context.Context, namespace string, secrets []NewUser) ([]*v1alpha1.UserSecret, error) {
	batch := string(uuid.NewUUID())
	out := make([]*v1alpha1.UserSecret, 0, len(secrets))
	ps := make([]policy.Change, 0, len(secrets))
	for i, n := range secrets {
		obj, err := s.write(ctx, namespace, n, batch)
		if err != nil {
			return nil, errors.Join(atIndex(err, i), s.takeAllBack(ctx, out))
		}
		out = append(out, obj)
		ps = append(ps, policy.Change{Secret: bundle.OfUser(obj)})
	}
	if err := s.confirm(ctx, namespace, ps, out[len(out)-1].ResourceVersion); err != nil {
		return nil, errors.Join(err, s.takeAllBack(ctx, out))
	}
	if err := mark(ctx, s.Live, out[0], v1alpha1.AnnotationPending, v1alpha1.AnnotationCommitted); err != nil {
		err = refused("commit the import", err)
		if no := (*RefusedError)(nil); errors.As(err, &no) {
			return nil, unlessUnjudged(err, func() error { return s.takeAllBack(ctx, out) })
		}
		// It is unknown whether the write succeeded. The controller will find out.
		return nil, err
	}
	// The first object is finished last: its mark makes the controller finish the
	// others after a crash.
	for _, obj := range append(slices.Clone(out[1:]), out[0]) {
		if err := finish(ctx, s.Live, obj); err != nil {
			// It is decided, so it was not refused: the controller finishes it.
			return nil, fmt.Errorf("%w: %v", ErrUnavailable, refused("finish the import", err)) //nolint:errorlint // see above
		}
	}
	return out, s.waitForCache(ctx, versionMark(out[0]))
}

// atIndex sets the index of a conflict to the place of the secret in its batch.
func atIndex(err error, i int) error {
	var conflict *ConflictError
	if errors.As(err, &conflict) {
		for k := range conflict.Conflicts {
			conflict.Conflicts[k].Index = i
		}
	}
	return err
}

func (s *Users) takeAllBack(ctx context.Context, objs []*v1alpha1.UserSecret) error {
	var errs []error
	for _, obj := range objs {
		errs = append(errs, s.takeBack(ctx, obj))
	}
	return errors.Join(errs...)
}

// mark replaces one annotation of an import with another.
func mark(ctx context.Context, w client.Writer, obj *v1alpha1.UserSecret, from, to string) error {
	return annotate(ctx, w, obj, map[string]any{from: nil, to: obj.Annotations[from]})
}

// finish turns an object of a committed import into an ordinary one.
func finish(ctx context.Context, w client.Writer, obj *v1alpha1.UserSecret) error {
	return annotate(ctx, w, obj, map[string]any{v1alpha1.AnnotationPending: nil, v1alpha1.AnnotationCommitted: nil})
}

func annotate(ctx context.Context, w client.Writer, obj *v1alpha1.UserSecret, annotations map[string]any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": obj.UID, "annotations": annotations}})
	if err != nil {
		return err
	}
	return w.Patch(ctx, obj, client.RawPatch(types.MergePatchType, patch))
}
