// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package usersecret

import (
	"time"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/store"
)

// updated says when a secret was changed: any field that people set, or the value.
// Sealing the same value anew, or applying the same manifest again, is no change. A new
// secret was changed when it was created. Of two replicas, the one whose clock is behind
// does not turn it back.
func (h *Handler) updated(obj, old *v1alpha1.UserSecret, valueChanged bool) string {
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
	now := h.Now()
	if last := store.UpdatedAt(old, now); last.After(now) {
		now = last
	}
	return now.UTC().Format(time.RFC3339Nano)
}

func sameSource(a, b *v1alpha1.ValueSource) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
