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

// UpdatedAt returns when a secret was last changed: what Latchkey wrote down, else when
// it was created. What cannot be a time of this object, since it lies before its
// creation or in the future, was written by somebody else while admission was away.
func UpdatedAt(u *v1alpha1.UserSecret, now time.Time) time.Time {
	created := u.CreationTimestamp.UTC()
	at, err := time.Parse(time.RFC3339Nano, u.Annotations[v1alpha1.AnnotationUpdatedAt])
	if err != nil || at.Before(created) || at.After(now.Add(maxAhead)) {
		return created
	}
	return at.UTC()
}

// NextUpdatedAt returns what is to be written down of when a secret was changed: by any
// field that people set, or by its value. Sealing the same value anew, or applying the same
// manifest again, is no change. A new secret was changed when it was created. A clock that
// is behind does not turn it back.
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

// touch writes down on after when it was changed.
func touch(before, after *v1alpha1.UserSecret, valueChanged bool, now time.Time) {
	named := after.DeepCopy()
	named.Spec.Name = named.SecretName()
	setAnnotation(after, v1alpha1.AnnotationUpdatedAt, NextUpdatedAt(before, named, valueChanged, now))
}

// setAnnotation sets an annotation, or removes it where text is empty.
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
