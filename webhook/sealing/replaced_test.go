// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

func TestWarnReplaced_ReplacementCharacter_NamesItsField(t *testing.T) {
	for name, tt := range map[string]struct {
		object, old string
		want        []string
	}{
		"text is fine":                  {`{"spec":{"value":"\u00e9 é \ud83d\udd11"}}`, "", nil},
		"in a value":                    {`{"spec":{"value":"a�b"}}`, "", []string{"spec.value"}},
		"escaped in a value":            {`{"spec":{"value":{"a":["\uFFFD"]}}}`, "", []string{"spec.value"}},
		"in a key, a name and a path":   {`{"spec":{"value":{"�":1},"description":"�","path":["�"]}}`, "", []string{"spec.description", "spec.path", "spec.value"}},
		"in a type":                     {`{"spec":{"secretType":{"type":"Enum","cases":["�"]}}}`, "", []string{"spec.secretType"}},
		"what is stored was warned of":  {`{"spec":{"description":"�"}}`, `{"spec":{"description":"�"}}`, nil},
		"what is changed is new":        {`{"spec":{"description":"�!"}}`, `{"spec":{"description":"�"}}`, []string{"spec.description"}},
		"what is no object is no field": {`[]`, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, req := &Review{}, admission.Request{}
			req.Object.Raw, req.OldObject.Raw = []byte(tt.object), []byte(tt.old)
			r.WarnReplaced(req)
			var got []string
			for _, w := range r.Response().Warnings {
				field, rest, _ := strings.Cut(w, " ")
				got = append(got, field)
				if !strings.HasPrefix(rest, "holds U+FFFD") {
					t.Errorf("the warning is %q", w)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("warned of (-want +got):\n%s", diff)
			}
		})
	}
}
