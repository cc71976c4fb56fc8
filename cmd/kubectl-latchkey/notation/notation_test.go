// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package notation

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// formOf returns the JSON form of a type.
func formOf(t *testing.T, typ *typedvalue.Type) string {
	t.Helper()
	text, err := typ.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParse_WhatPeopleWrite_IsTheTypeOfTheContract(t *testing.T) {
	for text, tt := range map[string]struct{ want, wantPrinted string }{
		"string": {`{"type":"Str"}`, ""},
		" u16\n": {`{"type":"U16"}`, "u16"},
		"bool":   {`{"type":"Bool"}`, ""},
		"f64":    {`{"type":"F64"}`, ""},
		"char":   {`{"type":"Chr"}`, ""},
		"option<list<s8>>": {
			`{"type":"Option","inner":{"type":"List","inner":{"type":"S8"}}}`, "",
		},
		"tuple<string,bool>": {`{"type":"Tuple","items":[{"type":"Str"},{"type":"Bool"}]}`, "tuple<string, bool>"},
		"tuple<>":            {`{"type":"Tuple","items":[]}`, ""},
		"record{host: string, port: u16}": {
			`{"type":"Record","fields":[{"name":"host","typ":{"type":"Str"}},{"name":"port","typ":{"type":"U16"}}]}`, "",
		},
		"record{\n  host: string,\n  \"a b\": u16,\n}": {
			`{"type":"Record","fields":[{"name":"host","typ":{"type":"Str"}},{"name":"a b","typ":{"type":"U16"}}]}`, `record{host: string, "a b": u16}`,
		},
		"variant{none, some(string)}": {`{"type":"Variant","cases":[{"name":"none"},{"name":"some","typ":{"type":"Str"}}]}`, ""},
		"enum{a,b-c}":                 {`{"type":"Enum","cases":["a","b-c"]}`, "enum{a, b-c}"},
		`enum{"", "1", "é", "a\"b"}`:  {`{"type":"Enum","cases":["","1","é","a\"b"]}`, ""},
		"flags{}":                     {`{"type":"Flags","names":[]}`, ""},
		"result<string, u8>":          {`{"type":"Result","ok":{"type":"Str"},"err":{"type":"U8"}}`, ""},
		"result<string>":              {`{"type":"Result","ok":{"type":"Str"}}`, ""},
		"result<_, u8>":               {`{"type":"Result","err":{"type":"U8"}}`, ""},
		"result<_>":                   {`{"type":"Result"}`, "result"},
		"result":                      {`{"type":"Result"}`, ""},
		`{"type":"List","inner":{"type":"Str"},"owner":null}`: {`{"type":"List","inner":{"type":"Str"}}`, "list<string>"},
		`option<{"type":"Handle","resource_id":7,"mode":"Owned"}>`: {
			`{"type":"Option","inner":{"type":"Handle","resource_id":7,"mode":"Owned"}}`,
			`option<{"type":"Handle","name":null,"owner":null,"resource_id":7,"mode":"Owned"}>`,
		},
	} {
		t.Run(text, func(t *testing.T) {
			want, err := typedvalue.ParseType([]byte(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(formOf(t, want), formOf(t, got)); diff != "" {
				t.Errorf("type (-want +got):\n%s", diff)
			}
			wantPrinted := tt.wantPrinted
			if wantPrinted == "" {
				wantPrinted = text
			}
			if printed := Print(got); printed != wantPrinted {
				t.Errorf("printed %q, want %q", printed, wantPrinted)
			}
		})
	}
}

func TestParse_WhatIsWrong_IsPointedAt(t *testing.T) {
	const types = "expected a type: bool, s8 to s64, u8 to u64, f32, f64, char, string, option<…>, list<…>, tuple<…>, " +
		"record{…}, variant{…}, enum{…}, flags{…}, result<…>, or its JSON form"
	for text, want := range map[string]string{
		"":                               "column 1: " + types,
		"str":                            "column 1: " + types,
		"list<str>":                      "column 6: " + types,
		"list<>":                         "column 6: expected a type",
		"list":                           "column 5: expected <",
		"list<string":                    "column 12: expected , or >",
		"option<u8, u8>":                 "column 12: expected >",
		"string string":                  "column 8: expected nothing more after the type",
		"record{host string}":            "column 13: expected : and the field's type",
		"record{é: string}":              "column 8: expected a name: letters, digits, _ and -, or else a string in double quotes",
		`record{"é": string, port: u17}`: "column 27: " + types,
		"record{\n  \"é\": u8;\n}":       "line 2, column 10: expected , or }",
		"variant{a(string}":              "column 17: expected )",
		"enum{a b}":                      "column 8: expected , or }",
		"result<u8, u8, u8>":             "column 14: expected >",
		`enum{"a}`:                       "column 6: not valid JSON from here",
		`enum{"\ud800"}`:                 "column 6: name: half of a surrogate pair in a string, at byte 2",
		`list<{"type":"Strr"}>`:          "column 6: type.type: expected one of Bool, S8, S16, S32, S64, U8, U16, U32, U64, F32, F64, Chr, Str, Option, List, Tuple, Record, Variant, Enum, Flags, Result, Handle",
		"list<\xff>":                     "type: not valid UTF-8",
		strings.Repeat("list<", 200) + "u8" + strings.Repeat(">", 200): "column 646: expected at most 128 levels of nesting",
		strings.Repeat(" ", typedvalue.MaxTypeBytes) + "u8":            "type: longer than 65536 bytes",
	} {
		t.Run(text[:min(len(text), 40)], func(t *testing.T) {
			if got, err := Parse(text); err == nil || err.Error() != want {
				t.Errorf("Parse = %v, %v, want %q", got, err, want)
			}
		})
	}
}

// What Parse reads it prints, and reads as the same type; and so does every type
// of the JSON form.
func FuzzNotation(f *testing.F) {
	text, err := os.ReadFile("../../../test/conformance/testdata/golem-vectors.json")
	if err != nil {
		f.Fatal(err)
	}
	var vectors []struct{ Type json.RawMessage }
	if err := json.Unmarshal(text, &vectors); err != nil {
		f.Fatal(err)
	}
	for _, v := range vectors {
		f.Add(string(v.Type))
	}
	for _, text := range []string{
		"string", "option<list<u8>>", "tuple<f64, char>", "record{host: string, port: u16}", "variant{none, some(string)}", "enum{a, \"b c\"}",
		"flags{a,}", "result<_, string>", `list<{"type":"Enum","cases":["x"],"name":"n"}>`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		typ, err := Parse(text)
		if err != nil {
			if len(err.Error()) > 16<<10 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		printed := Print(typ)
		if len(printed) > typedvalue.MaxTypeBytes {
			return // null members made it longer than what it was parsed from
		}
		again, err := Parse(printed)
		if err != nil {
			t.Fatalf("printed %q, which is refused: %v", printed, err)
		}
		if diff := cmp.Diff(formOf(t, typ), formOf(t, again)); diff != "" {
			t.Fatalf("printed %q and read again (-want +got):\n%s", printed, diff)
		}
	})
}
