// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

// Recorded claims decide between a file and one below it, whatever the objects' own
// resourceVersions say by now.
func TestTheEarlierOfAFileAndOneBelowItStays(t *testing.T) {
	item := func(name, version, path, since string) Item {
		return UserItem(&v1alpha1.UserSecret{
			ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), ResourceVersion: version},
			Spec:       v1alpha1.UserSecretSpec{FilePath: path, SealedValue: "sealed"},
			Status:     v1alpha1.SecretStatus{ObservedUID: name, Claims: []v1alpha1.Claim{{Kind: v1alpha1.ClaimFile, Value: path, Since: since}}},
		}, false)
	}
	items := []Item{item("first", "900", "~/a", "587"), item("second", "600", "~/a/b", "588")}
	for range 2 {
		for _, d := range DecideUser(items, limits.DefaultUser(), nil) {
			if got, want := d.Outcome.File != nil, d.Item.Name == "first"; got != want {
				t.Errorf("%s is a file: %v, want %v", d.Item.Name, got, want)
			}
		}
		slices.Reverse(items)
	}
}
