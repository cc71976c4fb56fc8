// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy"
)

// imported returns an object of an import.
func imported(name, pending, committed string) v1alpha1.UserSecret {
	u := v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: name, Annotations: map[string]string{}}}
	if pending != "" {
		u.Annotations[v1alpha1.AnnotationPending] = pending
	}
	if committed != "" {
		u.Annotations[v1alpha1.AnnotationCommitted] = committed
	}
	return u
}

func TestVisible_ObjectsOfImports_OnceCommitted(t *testing.T) {
	leaving := imported("leaving", "", "")
	leaving.DeletionTimestamp = &metav1.Time{Time: metav1.Now().Time}
	for name, tt := range map[string]struct {
		items []v1alpha1.UserSecret
		want  []string
	}{
		"an object of no import is":                   {[]v1alpha1.UserSecret{imported("a", "", "")}, []string{"a"}},
		"an object that is being deleted is not":      {[]v1alpha1.UserSecret{leaving}, nil},
		"an import that is under way is not":          {[]v1alpha1.UserSecret{imported("a", "1", ""), imported("b", "1", "")}, nil},
		"an import is as a whole, once one is marked": {[]v1alpha1.UserSecret{imported("b", "1", ""), imported("a", "", "1")}, []string{"b", "a"}},
		"another import's mark does not count":        {[]v1alpha1.UserSecret{imported("a", "1", ""), imported("b", "", "2")}, []string{"b"}},
		"a mark that both notes are on counts":        {[]v1alpha1.UserSecret{imported("a", "1", "1")}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, u := range policy.Visible(tt.items) {
				got = append(got, u.Name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Visible (-want +got):\n%s", diff)
			}
		})
	}
	items := []v1alpha1.UserSecret{imported("a", "", "")}
	if policy.Visible(items)[0] != &items[0] {
		t.Error("an object is copied")
	}
}
