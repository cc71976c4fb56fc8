// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

func TestAnnotations_WhoWritesWhat(t *testing.T) {
	const pending, updated = v1alpha1.AnnotationPending, v1alpha1.AnnotationUpdatedAt
	type notes = map[string]string
	for name, tt := range map[string]struct {
		is, was, decided notes
		own              bool
		want             notes
	}{
		"others cannot add one":                {is: notes{pending: "x"}, want: nil},
		"others cannot add one beside theirs":  {is: notes{pending: "x", "a": "b"}, want: notes{"a": "b"}},
		"others cannot change one":             {is: notes{pending: "x"}, was: notes{pending: "y"}, want: notes{pending: "y"}},
		"others cannot take one away":          {is: notes{"a": "b"}, was: notes{pending: "y"}, want: notes{"a": "b", pending: "y"}},
		"others cannot take all away":          {was: notes{pending: "y"}, want: notes{pending: "y"}},
		"what others own is theirs":            {is: notes{"a": "b"}, was: notes{"a": "c", "d": "e"}, want: notes{"a": "b"}},
		"Latchkey can add one":                 {is: notes{pending: "x"}, own: true, want: notes{pending: "x"}},
		"Latchkey can take one away":           {was: notes{pending: "x"}, own: true, want: nil},
		"what is decided counts for others":    {is: notes{updated: "2099"}, was: notes{updated: "1"}, decided: notes{updated: "2"}, want: notes{updated: "2"}},
		"what is decided counts for Latchkey":  {is: notes{updated: "2099"}, decided: notes{updated: "2"}, own: true, want: notes{updated: "2"}},
		"what is decided not to be is taken":   {is: notes{updated: "2099"}, was: notes{updated: "1"}, decided: notes{updated: ""}, want: nil},
		"what is decided comes where is none":  {decided: notes{updated: "2"}, want: notes{updated: "2"}},
		"nothing to change leaves even nobody": {is: notes{pending: "y"}, was: notes{pending: "y"}, want: notes{pending: "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Review{}
			r.Annotations(tt.is, tt.was, tt.decided, tt.own)
			object, err := json.Marshal(map[string]any{"metadata": map[string]any{"name": "a"}})
			if tt.is != nil {
				object, err = json.Marshal(map[string]any{"metadata": map[string]any{"name": "a", "annotations": tt.is}})
			}
			if err != nil {
				t.Fatal(err)
			}
			var got struct{ Metadata struct{ Annotations notes } }
			if err := json.Unmarshal([]byte(patched(t, string(object), r)), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Metadata.Annotations); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
			if cmp.Equal(tt.is, tt.want) && len(r.patches) > 0 {
				t.Errorf("%d changes where there is nothing to change", len(r.patches))
			}
		})
	}
}

func TestWrote_OnlyLatchkeysOwnAccounts(t *testing.T) {
	l := Latchkey{Server: "s", Controller: "c"}
	for name, want := range map[string]bool{"s": true, "c": true, "mallory": false, "": false} {
		req := admission.Request{}
		req.UserInfo = authenticationv1.UserInfo{Username: name}
		if got := l.Wrote(req); got != want {
			t.Errorf("%q is Latchkey: %t, want %t", name, got, want)
		}
		if (Latchkey{}).Wrote(req) {
			t.Errorf("%q is Latchkey where no account is known", name)
		}
	}
}
