// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func entry(path, value string) Entry {
	return Entry{Path: strings.Split(path, "."), Value: json.RawMessage(value)}
}

func TestTree(t *testing.T) {
	tests := map[string]struct {
		entries []Entry
		want    string
	}{
		"no entries":                 {nil, `{}`},
		"keys are sorted":            {[]Entry{entry("b", `1`), entry("a", `2`), entry("aB", `3`)}, `{"a":2,"aB":3,"b":1}`},
		"segments nest":              {[]Entry{entry("db.user", `"u"`), entry("db.password", `"p"`), entry("x", `1`)}, `{"db":{"password":"p","user":"u"},"x":1}`},
		"values are as they are":     {[]Entry{entry("a", `{"z":1.0,"b":[18446744073709551615]}`)}, `{"a":{"z":1.0,"b":[18446744073709551615]}}`},
		"no value, no entry":         {[]Entry{entry("a.b", ``), entry("c", `null`)}, `{"c":null}`},
		"a value above a subtree":    {[]Entry{entry("db.password", `1`), entry("db", `2`)}, `{"db":{"":2,"password":1}}`},
		"values on three levels":     {[]Entry{entry("a.b.c", `3`), entry("a", `1`), entry("a.b", `2`)}, `{"a":{"":1,"b":{"":2,"c":3}}}`},
		"a deep path alone":          {[]Entry{entry("a.b.c", `[]`)}, `{"a":{"b":{"c":[]}}}`},
		"a segment outside of ASCII": {[]Entry{entry("schlüssel", `true`)}, `{"schlüssel":true}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				got, err := Tree(test.entries)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, string(got)); diff != "" {
					t.Errorf("document differs (-want +got):\n%s", diff)
				}
				if !json.Valid(got) {
					t.Error("the document is not valid JSON")
				}
				slices.Reverse(test.entries)
			}
		})
	}
}

func TestTreeRefuses(t *testing.T) {
	tests := map[string]struct {
		entries []Entry
		want    string
	}{
		"two values at one path":    {[]Entry{entry("a.b", `1`), entry("a.b", `1`)}, "path a.b: more than one value"},
		"a value that is no JSON":   {[]Entry{entry("a.b", `canary`)}, "path a.b: value is not valid JSON"},
		"no path":                   {[]Entry{{Value: json.RawMessage(`1`)}}, "path: expected 1 to 16 segments"},
		"an empty segment":          {[]Entry{entry("a.", `1`)}, "path: expected canonical segments"},
		"a segment that is no text": {[]Entry{entry("a\xff", `1`)}, "path: expected canonical segments"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Tree(test.entries)
			if message(err) != test.want {
				t.Errorf("Tree = %s, %v; want %s", got, err, test.want)
			}
		})
	}
}

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
