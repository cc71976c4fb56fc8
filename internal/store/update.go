// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
)

// Update changes one secret. It is refused like Create, or with ErrNotFound.
func (s *Users) Update(ctx context.Context, namespace, name string, change UserChange) (*v1alpha1.UserSecret, error) {
	var err error
	for range tries {
		var before *v1alpha1.UserSecret
		if before, err = s.Get(ctx, namespace, name); err != nil {
			return nil, err
		}
		if holding(before, time.Now()) {
			err = fmt.Errorf("%w: another update of the secret is under way", ErrUnavailable)
			s.pause(ctx, namespace)
			continue
		}
		after := before.DeepCopy()
		if err := s.change(after, change); err != nil {
			return nil, err
		}
		if err := s.approve(ctx, before, after); err != nil {
			return nil, err
		}
		was := userRecord(before)
		p := proposal{record: userRecord(after), before: &was}
		if err := s.check(ctx, namespace, []proposal{p}); err != nil {
			return nil, err
		}
		if err = s.replace(ctx, before, after, p); err == nil {
			return after, nil
		}
		if !apierrors.IsConflict(err) && !lost(err) {
			return nil, err
		}
		if lost(err) {
			s.pause(ctx, namespace)
		}
	}
	if apierrors.IsConflict(err) {
		return nil, fmt.Errorf("%w: the secret keeps changing", ErrUnavailable)
	}
	return nil, err
}

// replace writes after in the place of before, if nobody else wrote meanwhile and
// the proposal may stay.
func (s *Users) replace(ctx context.Context, before, after *v1alpha1.UserSecret, p proposal) error {
	held := hold(before, after, p, time.Now())
	err := s.Live.Update(ctx, after)
	switch {
	case apierrors.IsConflict(err):
		// Somebody else wrote it. Their write is on its way into the cache; reading
		// it here tells how long to wait for it.
		live := &v1alpha1.UserSecret{}
		if gerr := s.Live.Get(ctx, client.ObjectKeyFromObject(before), live); gerr == nil {
			err = errors.Join(err, s.Seen(ctx, versionMark(live)))
		} else if apierrors.IsNotFound(gerr) {
			return errors.Join(ErrNotFound, s.everywhere(ctx, goneMark(before)))
		}
		return err
	case apierrors.IsNotFound(err):
		return errors.Join(ErrNotFound, s.everywhere(ctx, goneMark(before)))
	case err != nil:
		return refused("update UserSecret", err)
	}
	if err := s.settle(ctx, after.Namespace, []proposal{p}, after.ResourceVersion); err != nil {
		return errors.Join(err, s.restore(ctx, before, after))
	}
	if held {
		if err := release(ctx, s.Live, after); err != nil {
			return err
		}
	}
	return s.everywhere(ctx, versionMark(after))
}

// change applies a change to an object that is the caller's own.
func (s *Users) change(u *v1alpha1.UserSecret, change UserChange) error {
	for _, f := range []struct{ field, to *string }{
		{&u.Spec.Description, change.Description},
		{&u.Spec.EnvName, change.EnvName},
		{&u.Spec.FilePath, change.FilePath},
	} {
		if f.to != nil {
			*f.field = *f.to
		}
	}
	if change.Enabled != nil {
		u.Spec.Enabled = change.Enabled
	}
	if change.Value == nil {
		return nil
	}
	text, err := s.Keyring.Seal(binding.User(u.Namespace, u.Name), *change.Value)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	u.Spec.SealedValue, u.Spec.ValueFrom = text, nil
	return nil
}

// restore undoes an update that lost: every field of the spec that still is as the
// update wrote it goes back to what it was. It goes on when the client has gone.
func (s *Users) restore(ctx context.Context, before, after *v1alpha1.UserSecret) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), catchUp)
	defer cancel()
	was, err := members(before.Spec)
	if err != nil {
		return err
	}
	is, err := members(after.Spec)
	if err != nil {
		return err
	}
	for range tries {
		live := &v1alpha1.UserSecret{}
		if err := s.Live.Get(ctx, client.ObjectKeyFromObject(after), live); err != nil {
			return client.IgnoreNotFound(err)
		}
		now, err := members(live.Spec)
		if err != nil || live.UID != after.UID {
			return err
		}
		patch := []map[string]any{{"op": "test", "path": "/metadata/resourceVersion", "value": live.ResourceVersion}}
		for field := range union(was, is) {
			if !reflect.DeepEqual(was[field], is[field]) && reflect.DeepEqual(now[field], is[field]) {
				patch = append(patch, setMember("/spec/"+field, now[field] != nil, was[field])...)
			}
		}
		patch = append(patch, unhold(live)...)
		if len(patch) == 1 {
			return nil
		}
		approval, err := s.restoredApproval(live, before, after)
		if err != nil {
			return err
		}
		patch = append(patch, approval...)
		raw, err := json.Marshal(patch)
		if err != nil {
			return err
		}
		err = s.Live.Patch(ctx, live, client.RawPatch(types.JSONPatchType, raw))
		if err == nil {
			return s.everywhere(ctx, versionMark(live))
		}
		if !apierrors.IsInvalid(err) && !apierrors.IsConflict(err) {
			return refused("undo the update of UserSecret", err)
		}
	}
	return fmt.Errorf("%w: undo the update of UserSecret: it keeps changing", ErrUnavailable)
}

// restoredApproval returns the JSON patch that brings back the approval of a source that
// the object had before, where it goes back to what it was.
func (s *Users) restoredApproval(live, before, after *v1alpha1.UserSecret) ([]map[string]any, error) {
	if !reflect.DeepEqual(live.Spec, after.Spec) {
		return nil, nil // somebody wrote it since, and answers for what they wrote
	}
	restored := live.DeepCopy()
	restored.Spec = before.Spec
	if err := s.reapprove(live, before, restored); err != nil {
		return nil, err
	}
	const name = v1alpha1.AnnotationSourceApproval
	was, had := live.Annotations[name]
	is := restored.Annotations[name]
	if is == was || len(live.Annotations) == 0 {
		return nil, nil
	}
	var value any
	if is != "" {
		value = is
	}
	return setMember("/metadata/annotations/"+strings.ReplaceAll(name, "/", "~1"), had, value), nil
}

// setMember returns the JSON patch that gives a member a value, or removes it.
func setMember(path string, present bool, value any) []map[string]any {
	switch {
	case value != nil:
		return []map[string]any{{"op": "add", "path": path, "value": value}}
	case present:
		return []map[string]any{{"op": "remove", "path": path}}
	default:
		return nil
	}
}

func members(spec v1alpha1.UserSecretSpec) (map[string]any, error) {
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	err = json.Unmarshal(raw, &out)
	return out, err
}

func union(a, b map[string]any) map[string]bool {
	out := map[string]bool{}
	for k := range a {
		out[k] = true
	}
	for k := range b {
		out[k] = true
	}
	return out
}
