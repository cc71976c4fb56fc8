// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTypeEchoesCanonically(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"a scalar drops every other member": {
			`{"name":5,"type":"Chr","inner":{}}`, `{"type":"Chr"}`,
		},
		"an option gets its optional members": {
			`{"inner":{"type":"Str"},"type":"Option"}`, `{"type":"Option","name":null,"owner":null,"inner":{"type":"Str"}}`,
		},
		"name and owner are kept": {
			`{"type":"List","name":"n","owner":"o\u003c","inner":{"type":"Str"}}`, `{"type":"List","name":"n","owner":"o<","inner":{"type":"Str"}}`,
		},
		"a tuple": {
			`{"type":"Tuple","items":[{"type":"U8"},{"type":"S8"}]}`, `{"type":"Tuple","name":null,"owner":null,"items":[{"type":"U8"},{"type":"S8"}]}`,
		},
		"a record drops unknown members of its fields": {
			`{"type":"Record","fields":[{"typ":{"type":"F32"},"name":"","x":1}]}`, `{"type":"Record","name":null,"owner":null,"fields":[{"name":"","typ":{"type":"F32"}}]}`,
		},
		"a unit case is null": {
			`{"type":"Variant","cases":[{"name":"a"},{"name":"b","typ":null},{"name":"c","typ":{"type":"F64"}}]}`,
			`{"type":"Variant","name":null,"owner":null,"cases":[{"name":"a","typ":null},{"name":"b","typ":null},{"name":"c","typ":{"type":"F64"}}]}`,
		},
		"an enum": {
			`{"type":"Enum","cases":["b","a","b"]}`, `{"type":"Enum","name":null,"owner":null,"cases":["b","a","b"]}`,
		},
		"flags": {
			`{"type":"Flags","names":[]}`, `{"type":"Flags","name":null,"owner":null,"names":[]}`,
		},
		"a result without payloads": {
			`{"type":"Result","err":null}`, `{"type":"Result","name":null,"owner":null,"ok":null,"err":null}`,
		},
		"a result with payloads": {
			`{"type":"Result","err":{"type":"U16"},"ok":{"type":"U32"}}`, `{"type":"Result","name":null,"owner":null,"ok":{"type":"U32"},"err":{"type":"U16"}}`,
		},
		"the largest resource id": {
			`{"type":"Handle","mode":"Borrowed","resource_id":18446744073709551615}`, `{"type":"Handle","name":null,"owner":null,"resource_id":18446744073709551615,"mode":"Borrowed"}`,
		},
		"the last of a repeated member counts": {
			`{"type":"Bool","type":"Enum","cases":5,"cases":["a"],"name":1,"name":null}`, `{"type":"Enum","name":null,"owner":null,"cases":["a"]}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			typ := mustParse(t, test.text)
			got, err := typ.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("echo differs (-want +got):\n%s", diff)
			}
			if again := mustParse(t, string(got)); !cmp.Equal(typ, again, cmp.AllowUnexported(Type{}, member{})) {
				t.Error("the echo parses to another type")
			}
		})
	}
}

func TestEveryKindIsParsed(t *testing.T) {
	const members = `"inner":{"type":"U8"},"items":[],"fields":[],"cases":[],"names":[],"resource_id":0,"mode":"Owned"`
	for _, kind := range kindNames[kindBool:] {
		typ, err := ParseType([]byte(`{"type":"` + kind + `",` + members + `}`))
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if typ.Kind() != kind {
			t.Errorf("%s is parsed as %s", kind, typ.Kind())
		}
		stored, err := typ.MarshalStored()
		if got := typ.Stored(); err != nil || got != string(stored) {
			t.Errorf("%s is stored as %s, want %s (%v)", kind, got, stored, err)
		}
		if again := mustParse(t, string(stored)); !cmp.Equal(typ, again, cmp.AllowUnexported(Type{}, member{})) {
			t.Errorf("%s parses to another type when it was stored", kind)
		}
	}
	if got := len(kindNames[kindBool:]); got != 22 {
		t.Errorf("%d kinds, want the contract's 22", got)
	}
}

func TestParseTypeRefuses(t *testing.T) {
	const (
		typ  = "expected a type: an object with the member type"
		tags = "secretType.type: expected one of Bool, S8, S16, S32, S64, U8, U16, U32, U64, F32, F64, Chr, Str, " +
			"Option, List, Tuple, Record, Variant, Enum, Flags, Result, Handle"
		u64  = "secretType.resource_id: expected an integer from 0 to 18446744073709551615"
		mode = "secretType.mode: expected Owned or Borrowed"
	)
	tests := map[string]struct{ text, want string }{
		"no JSON":                          {`{`, "secretType: not valid JSON at byte 1"},
		"two types":                        {`{"type":"U8"}{"type":"U8"}`, "secretType: not valid JSON at byte 14"},
		"a number that no float holds":     {`{"type":"U8","x":1e400}`, "secretType: number out of range at byte 18"},
		"half a surrogate pair":            {`{"type":"Enum","cases":["\ud83d"]}`, "secretType: half of a surrogate pair in a string, at byte 26"},
		"null":                             {`null`, "secretType: " + typ},
		"a tag alone":                      {`"Bool"`, "secretType: " + typ},
		"an array":                         {`[]`, "secretType: " + typ},
		"an empty object":                  {`{}`, tags},
		"a tag in lower case":              {`{"type":"bool"}`, tags},
		"an empty tag":                     {`{"type":""}`, tags},
		"a tag that is no string":          {`{"type":["Bool"]}`, tags},
		"a member in another case":         {`{"Type":"Bool"}`, tags},
		"a name that is no string":         {`{"type":"Tuple","items":[],"name":1}`, "secretType.name: expected a string or null"},
		"an owner that is no string":       {`{"type":"Tuple","items":[],"owner":{}}`, "secretType.owner: expected a string or null"},
		"an option without inner":          {`{"type":"Option"}`, "secretType.inner: " + typ},
		"a list with Inner":                {`{"type":"List","Inner":{"type":"U8"}}`, "secretType.inner: " + typ},
		"a tuple without items":            {`{"type":"Tuple"}`, "secretType.items: expected an array of types"},
		"a tuple of null":                  {`{"type":"Tuple","items":[{"type":"U8"},null]}`, "secretType.items[1]: " + typ},
		"a record of null fields":          {`{"type":"Record","fields":null}`, "secretType.fields: expected an array of fields"},
		"a field without name":             {`{"type":"Record","fields":[{"typ":{"type":"U8"}}]}`, "secretType.fields[0].name: expected a string"},
		"a field that is a string":         {`{"type":"Record","fields":["a"]}`, "secretType.fields[0]: expected an object with the members name and typ"},
		"a field with a null type":         {`{"type":"Record","fields":[{"name":"a","typ":{"type":"U8"}},{"name":"b","typ":null}]}`, "secretType.fields[1].typ: " + typ},
		"a case without name":              {`{"type":"Variant","cases":[{"typ":null}]}`, "secretType.cases[0].name: expected a string"},
		"a case that is a string":          {`{"type":"Variant","cases":["a"]}`, "secretType.cases[0]: expected an object with the members name and typ"},
		"a case with a bad type":           {`{"type":"Variant","cases":[{"name":"a","typ":{"type":"List","inner":5}}]}`, "secretType.cases[0].typ.inner: " + typ},
		"an enum of numbers":               {`{"type":"Enum","cases":["a",1]}`, "secretType.cases[1]: expected a string"},
		"flags with null":                  {`{"type":"Flags","names":[null]}`, "secretType.names[0]: expected a string"},
		"flags with cases":                 {`{"type":"Flags","cases":[]}`, "secretType.names: expected an array of strings"},
		"a result with a false payload":    {`{"type":"Result","ok":false}`, "secretType.ok: " + typ},
		"a result with a bad err":          {`{"type":"Result","ok":{"type":"U8"},"err":[]}`, "secretType.err: " + typ},
		"a handle without id":              {`{"type":"Handle","mode":"Owned"}`, u64},
		"a handle with a fraction":         {`{"type":"Handle","mode":"Owned","resource_id":1.0}`, u64},
		"a handle with an exponent":        {`{"type":"Handle","mode":"Owned","resource_id":1e2}`, u64},
		"a handle with a negative id":      {`{"type":"Handle","mode":"Owned","resource_id":-1}`, u64},
		"a handle with negative zero":      {`{"type":"Handle","mode":"Owned","resource_id":-0}`, u64},
		"a handle beyond u64":              {`{"type":"Handle","mode":"Owned","resource_id":18446744073709551616}`, u64},
		"a handle with text":               {`{"type":"Handle","mode":"Owned","resource_id":"18446744073709551615"}`, u64},
		"a handle without mode":            {`{"type":"Handle","resource_id":1}`, mode},
		"a handle with a null mode":        {`{"type":"Handle","resource_id":1,"mode":null}`, mode},
		"a type longer than 64 KiB":        {`{"type":"U8"` + strings.Repeat(" ", MaxTypeBytes) + `}`, "secretType: longer than 65536 bytes"},
		"an ignored member nested deeply":  {`{"type":"U8","x":` + strings.Repeat("[", 400) + strings.Repeat("]", 400) + `}`, "secretType: nested deeper than 400 levels"},
		"one level of nesting too many":    {nested("Option", MaxNesting+1), "secretType" + strings.Repeat(".inner", MaxNesting+1) + ": expected at most 128 levels of nesting"},
		"a record nested one level deeper": {records(MaxNesting + 1), "secretType" + strings.Repeat(".fields[0].typ", MaxNesting+1) + ": expected at most 128 levels of nesting"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseType([]byte(test.text))
			if err == nil {
				t.Fatalf("ParseType takes it, as %s", got.Kind())
			}
			if err.Error() != test.want {
				t.Errorf("error %q,\nwant %q", err, test.want)
			}
		})
	}
}

func records(depth int) string {
	return strings.Repeat(`{"type":"Record","fields":[{"name":"f","typ":`, depth) + `{"type":"Bool"}` + strings.Repeat("}]}", depth)
}

func TestParseTypeTakesTheDeepestNesting(t *testing.T) {
	for _, text := range []string{nested("List", MaxNesting), records(MaxNesting)} {
		typ := mustParse(t, text)
		echo, err := json.Marshal(typ)
		if err != nil {
			t.Fatal(err)
		}
		mustParse(t, string(echo))
	}
}

func TestStoredTypesKeepLargeResourceIDs(t *testing.T) {
	tests := map[string]struct{ id, stored string }{
		"zero":                   {`0`, `0`},
		"the largest int64":      {`9223372036854775807`, `9223372036854775807`},
		"one above":              {`9223372036854775808`, `"9223372036854775808"`},
		"the largest of a u64":   {`18446744073709551615`, `"18446744073709551615"`},
		"above what a float has": {`9223372036854775809`, `"9223372036854775809"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			typ := mustParse(t, `{"type":"List","inner":{"type":"Handle","owner":"o","resource_id":`+test.id+`,"mode":"Owned"}}`)
			stored, err := typ.MarshalStored()
			if err != nil {
				t.Fatal(err)
			}
			want := `{"type":"List","inner":{"type":"Handle","owner":"o","resource_id":` + test.stored + `,"mode":"Owned"}}`
			if diff := cmp.Diff(want, string(stored)); diff != "" {
				t.Errorf("stored form differs (-want +got):\n%s", diff)
			}
			back, err := ParseStoredType(stored)
			if err != nil {
				t.Fatalf("ParseStoredType: %v", err)
			}
			if diff := cmp.Diff(typ, back, cmp.AllowUnexported(Type{}, member{})); diff != "" {
				t.Errorf("read back differs (-want +got):\n%s", diff)
			}
			if _, err := ParseType(stored); (err != nil) != strings.Contains(test.stored, `"`) {
				t.Errorf("ParseType of the stored form: %v", err)
			}
		})
	}
}

func TestStoredResourceIDsHaveOneSpelling(t *testing.T) {
	for _, id := range []string{
		`"7"`, `"9223372036854775807"`, `"09223372036854775808"`, `"+9223372036854775808"`, `"18446744073709551616"`,
		`" 9223372036854775808"`, `""`, `1.8446744073709552e19`, `-1`, `null`,
	} {
		_, err := ParseStoredType([]byte(`{"type":"Handle","mode":"Owned","resource_id":` + id + `}`))
		want := "secretType.resource_id: expected an integer, written as a string of digits above 9223372036854775807"
		if err == nil || err.Error() != want {
			t.Errorf("resource_id %s: got %v, want %s", id, err, want)
		}
	}
}
