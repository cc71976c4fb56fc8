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
