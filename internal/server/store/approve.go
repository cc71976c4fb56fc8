// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/approval"
)

// approve adds the approval of its source to after, as admission does for writes by
// kubectl: the API server sees only the server's own account. It returns ErrSource if
// the caller in ctx would widen the use of the source but may not get it.
func (s *Users) approve(ctx context.Context, before, after *v1alpha1.UserSecret) error {
	return s.approveFor(before, before, after, func() (bool, error) {
		if s.Sources == nil {
			return false, nil
		}
		return s.Sources.MayGetSecret(ctx, after.Namespace, after.Spec.ValueFrom.SecretKeyRef.Name)
	})
}

// reapprove restores the approval of an object that returns to its earlier state: the
// write that is undone was refused for another reason.
func (s *Users) reapprove(live, was, after *v1alpha1.UserSecret) error {
	err := s.approveFor(live, was, after, func() (bool, error) { return false, nil })
	if errors.Is(err, ErrSource) {
		return nil // it had no approval
	}
	return err
}

// approveFor approves after, which replaces live, as a change of before.
func (s *Users) approveFor(live, before, after *v1alpha1.UserSecret, may func() (bool, error)) error {
	delete(after.Annotations, v1alpha1.AnnotationSourceApproval)
	if after.Spec.ValueFrom == nil {
		return nil
	}
	if s.DigestKey == nil {
		return ErrSource
	}
	key, err := s.DigestKey()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	generation, err := nextGeneration(live, after)
	if err != nil {
		return err
	}
	text, ok, err := approval.Change{Before: before, After: after, Generation: generation, Now: time.Now()}.Approve(key, may)
	switch {
	case err != nil:
		return fmt.Errorf("%w: ask for the caller's right on the source: %w", ErrUnavailable, err)
	case !ok:
		return ErrSource
	case text != "":
		setAnnotation(after, v1alpha1.AnnotationSourceApproval, text)
	}
	return nil
}

// nextGeneration returns the generation that the API server will give to after in place
// of live: every change of the spec raises it by one.
func nextGeneration(live, after *v1alpha1.UserSecret) (int64, error) {
	was, err := json.Marshal(live.Spec)
	if err != nil {
		return 0, err
	}
	is, err := json.Marshal(after.Spec)
	if err != nil || bytes.Equal(was, is) {
		return live.Generation, err
	}
	return live.Generation + 1, nil
}
