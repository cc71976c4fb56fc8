// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import "github.com/latchkey-dev/latchkey/api/v1alpha1"

// Visible leaves out objects that are being deleted, and those of imports that are not
// committed. They still hold their claims.
func Visible(items []v1alpha1.UserSecret) []*v1alpha1.UserSecret {
	committed := map[string]bool{}
	for i := range items {
		if batch := items[i].Annotations[v1alpha1.AnnotationCommitted]; batch != "" {
			committed[batch] = true
		}
	}
	out := make([]*v1alpha1.UserSecret, 0, len(items))
	for i := range items {
		batch := items[i].Annotations[v1alpha1.AnnotationPending]
		if items[i].DeletionTimestamp.IsZero() && (batch == "" || committed[batch]) {
			out = append(out, &items[i])
		}
	}
	return out
}
