// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

func TestCanonical_AnySpelling_IsOneText(t *testing.T) {
	for name, tt := range map[string]struct {
		spellings []string
		want      string
	}{
		"a scalar": {[]string{`{"type":"Str"}`, ` { "type" : "Str", "x": 1 } `}, `{"type":"Str"}`},
		"a record": {
			[]string{
				`{"type":"Record","fields":[{"name":"b","typ":{"type":"U8"}},{"typ":{"type":"Str"},"name":"a"}]}`,
				`{"fields":[{"typ":{"type":"U8"},"name":"b"},{"name":"a","typ":{"type":"Str"}}],"owner":null,"name":null,"type":"Record"}`,
			},
			`{"fields":[{"name":"b","typ":{"type":"U8"}},{"name":"a","typ":{"type":"Str"}}],"type":"Record"}`,
		},
		"a name that JSON escapes": {
			[]string{`{"type":"List","inner":{"type":"Str"},"name":"<\u0026\"\n\u2028"}`},
			"{\"inner\":{\"type\":\"Str\"},\"name\":\"<&\\\"\\n\u2028\",\"type\":\"List\"}",
		},
		"a large resource id": {
			[]string{
				`{"type":"Handle","resource_id":18446744073709551615,"mode":"Owned"}`,
				`{"mode":"Owned","resource_id":"18446744073709551615","type":"Handle"}`,
			},
			`{"mode":"Owned","resource_id":"18446744073709551615","type":"Handle"}`,
		},
		"a case without a payload": {
			[]string{`{"type":"Variant","cases":[{"name":"none"},{"name":"some","typ":{"type":"Bool"}}]}`, `{"type":"Variant","cases":[{"name":"none","typ":null},{"name":"some","typ":{"type":"Bool"}}]}`},
			`{"cases":[{"name":"none"},{"name":"some","typ":{"type":"Bool"}}],"type":"Variant"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, spelling := range tt.spellings {
				typ, err := typedvalue.ParseStoredType([]byte(spelling))
				if err != nil {
					typ, err = typedvalue.ParseType([]byte(spelling))
				}
				if err != nil {
					t.Fatal(err)
				}
				got, err := typ.Canonical()
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", spelling, diff)
				}
			}
		})
	}
	if text, err := new(typedvalue.Type).Canonical(); err == nil {
		t.Errorf("a type that no parser made is bound as %q", text)
	}
}
