// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package usersecret

import (
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/webhook/sealing"
)

// updated notes when a secret was changed: any field that people set, or the value.
// Sealing the same value anew, or applying the same manifest again, is no change.
func (h *Handler) updated(obj, old *v1alpha1.UserSecret, valueChanged bool, review *sealing.Review) {
	was, is := old.Spec, obj.Spec
	if was.Name == "" {
		was.Name = old.Name
	}
	same := was.Name == is.Name && was.Description == is.Description && was.EnvName == is.EnvName &&
		was.FilePath == is.FilePath && old.IsEnabled() == obj.IsEnabled() && sameSource(was.ValueFrom, is.ValueFrom)
	if old.Name == "" || (same && !valueChanged) {
		return
	}
	now := h.Now().UTC().Format(time.RFC3339Nano)
	if obj.Annotations == nil {
		review.Set("/metadata/annotations", map[string]string{v1alpha1.AnnotationUpdatedAt: now})
		return
	}
	review.Set("/metadata/annotations/"+strings.ReplaceAll(v1alpha1.AnnotationUpdatedAt, "/", "~1"), now)
}

func sameSource(a, b *v1alpha1.ValueSource) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
