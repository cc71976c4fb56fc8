// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"time"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// maxAhead is how far the clock that wrote an annotation may be ahead of the one that
// reads it.
const maxAhead = 5 * time.Minute

// UpdatedAt returns when a secret was last changed: the recorded time, or else the time
// of creation. A time before the creation or in the future is ignored: it was written
// while admission was not there.
func UpdatedAt(u *v1alpha1.UserSecret, now time.Time) time.Time {
	created := u.CreationTimestamp.UTC()
	at, err := time.Parse(time.RFC3339Nano, u.Annotations[v1alpha1.AnnotationUpdatedAt])
	if err != nil || at.Before(created) || at.After(now.Add(maxAhead)) {
		return created
	}
	return at.UTC()
}

// NextUpdatedAt returns the time to record for a change: of any field that people set,
// or of the value. Sealing the same value again, or applying the same manifest again,
// is no change. A new secret was changed when it was created. A clock that is behind
// does not move the time back.
func NextUpdatedAt(old, obj *v1alpha1.UserSecret, valueChanged bool, now time.Time) string {
	if old.Name == "" {
		return ""
	}
	was, is := old.Spec, obj.Spec
	if was.Name == "" {
		was.Name = old.Name
	}
	same := was.Name == is.Name && was.Description == is.Description && was.EnvName == is.EnvName &&
		was.FilePath == is.FilePath && old.IsEnabled() == obj.IsEnabled() && sameSource(was.ValueFrom, is.ValueFrom)
	if same && !valueChanged {
		return old.Annotations[v1alpha1.AnnotationUpdatedAt]
	}
	if last := UpdatedAt(old, now); last.After(now) {
		now = last
	}
	return now.UTC().Format(time.RFC3339Nano)
}

func sameSource(a, b *v1alpha1.ValueSource) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// touch records the time of the change on after.
func touch(before, after *v1alpha1.UserSecret, valueChanged bool, now time.Time) {
	named := after.DeepCopy()
	named.Spec.Name = named.SecretName()
	setAnnotation(after, v1alpha1.AnnotationUpdatedAt, NextUpdatedAt(before, named, valueChanged, now))
}

// setAnnotation sets an annotation, or removes it if text is empty.
func setAnnotation(u *v1alpha1.UserSecret, name, text string) {
	switch {
	case text == "":
		delete(u.Annotations, name)
	case u.Annotations == nil:
		u.Annotations = map[string]string{name: text}
	default:
		u.Annotations[name] = text
	}
}
