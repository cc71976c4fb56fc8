// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPrintRaw(t *testing.T) {
	tests := map[string]struct{ typ, canonical, want string }{
		"a string is its text":        {scalar("Str"), `"a\n\"b\" \u0000🔑"`, "a\n\"b\" \x00🔑"},
		"an empty string":             {scalar("Str"), `""`, ""},
		"a number is JSON":            {scalar("F64"), `1.0`, `1.0`},
		"an option of text is JSON":   {`{"type":"Option","inner":{"type":"Str"}}`, `"a"`, `"a"`},
		"an enum is JSON":             {`{"type":"Enum","cases":["a"]}`, `"a"`, `"a"`},
		"a list is JSON":              {`{"type":"List","inner":{"type":"Str"}}`, `["a"]`, `["a"]`},
		"what is no string stays put": {scalar("Str"), `1`, `1`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, string(PrintRaw(mustParse(t, test.typ), []byte(test.canonical)))); diff != "" {
				t.Errorf("raw form differs (-want +got):\n%s", diff)
			}
			if typ := mustParse(t, test.typ); name != "what is no string stays put" {
				if diff := cmp.Diff(test.canonical, string(ParseRaw(typ, []byte(test.want)))); diff != "" {
					t.Errorf("read back, it differs (-want +got):\n%s", diff)
				}
			}
		})
	}
}
