// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCheckRefusesWhatIsNotOneJSONText(t *testing.T) {
	anything := mustParse(t, `{"type":"Record","fields":[]}`)
	tests := map[string]struct{ value, want string }{
		"nothing":                          {``, "value: not valid JSON at byte 0"},
		"only space":                       {` `, "value: not valid JSON at byte 1"},
		"a syntax error":                   {`{"a":x}`, "value: not valid JSON at byte 6"},
		"a second value":                   {`{} {}`, "value: not valid JSON at byte 4"},
		"an unfinished text":               {`{"a":`, "value: not valid JSON at byte 5"},
		"a byte order mark":                {"\ufeff{}", "value: not valid JSON at byte 1"},
		"a number too large":               {`{"a":1e400}`, "value: number out of range at byte 6"},
		"a negative number too large":      {`{"a":[-1e400]}`, "value: number out of range at byte 7"},
		"a huge exponent":                  {`{"a":1e99999999999999999999}`, "value: number out of range at byte 6"},
		"an integer too large for a float": {`{"a":1` + strings.Repeat("0", 309) + `}`, "value: number out of range at byte 6"},
		"bytes that are no UTF-8":          {"{\"a\":\"\xff\"}", "value: not valid UTF-8"},
		"a surrogate in UTF-8":             {"{\"a\":\"\xed\xa0\x80\"}", "value: not valid UTF-8"},
		"a high surrogate alone":           {`{"a":"\ud800"}`, "value: half of a surrogate pair in a string, at byte 7"},
		"a low surrogate alone":            {`{"a":"\udc00\ud800"}`, "value: half of a surrogate pair in a string, at byte 7"},
		"a high surrogate before another":  {`{"a":"\ud800\ud800"}`, "value: half of a surrogate pair in a string, at byte 7"},
		"a high surrogate before a letter": {`{"a":"\ud800x"}`, "value: half of a surrogate pair in a string, at byte 7"},
		"a high surrogate, other escape":   {`{"a":"\ud800\n"}`, "value: half of a surrogate pair in a string, at byte 7"},
		"half a pair in a key":             {`{"\udfff":1}`, "value: half of a surrogate pair in a string, at byte 3"},
		"nesting in a key that is ignored": {`{"a":` + strings.Repeat("[", 256) + strings.Repeat("]", 256) + `}`, "value: nested deeper than 256 levels"},
		"nesting beyond the decoder's own": {strings.Repeat("[", 200_000), "value: not valid JSON at byte 10001"},
		"more bytes than are read":         {`"` + strings.Repeat("x", MaxValueBytes-1) + `"`, "value: longer than 1048576 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Check(anything, []byte(test.value))
			var mismatch *MismatchError
			if err == nil || errors.As(err, &mismatch) {
				t.Fatalf("Check = %s, %v; want an error about the text", got, err)
			}
			if err.Error() != test.want {
				t.Errorf("error %q, want %q", err, test.want)
			}
		})
	}
}

func TestCheckTakesTheLargestValue(t *testing.T) {
	value := `"` + strings.Repeat("x", MaxValueBytes-2) + `"`
	got, err := Check(mustParse(t, scalar("Str")), []byte(value))
	if err != nil || string(got) != value {
		t.Errorf("Check returned %d bytes, %v; want all %d", len(got), err, len(value))
	}
	value = `{"a":` + strings.Repeat("[", 255) + strings.Repeat("]", 255) + `}`
	if _, err := Check(mustParse(t, `{"type":"Record","fields":[]}`), []byte(value)); err != nil {
		t.Errorf("Check refuses 256 levels: %v", err)
	}
}

// A short type and a short value can ask for gigabytes or for hours.
func TestCheckBoundsItsOutputAndItsWork(t *testing.T) {
	repeat := func(n int, format string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(format, "#", fmt.Sprint(i))
		}
		return strings.Join(parts, ",")
	}
	list := func(item string, n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	tests := map[string]struct{ inner, value, want string }{
		"missing option fields": {
			`{"type":"Record","fields":[` + repeat(900, `{"name":"f#","typ":{"type":"Option","inner":{"type":"U8"}}}`) + `]}`,
			list(`{}`, 3_000), "value: longer than 1048576 bytes when printed",
		},
		"fields that are checked and not printed": {
			`{"type":"Record","fields":[` + repeat(1200, `{"name":"a","typ":{"type":"U8"}}`) + `]}`,
			list(`{"a":1}`, 10_000), "value: takes too many checks against its type",
		},
		"many flags": {
			`{"type":"Flags","names":[` + repeat(6000, `"#"`) + `]}`,
			list(`[]`, 3_000), "value: takes too many checks against its type",
		},
		"options around options": {
			nested("Option", 120), list(`true`, 40_000), "value: takes too many checks against its type",
		},
		"text that grows by escapes": {
			scalar("Str"), list(`"\u007f\u0001"`, 1), "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Check(mustParse(t, `{"type":"List","inner":`+test.inner+`}`), []byte(test.value))
			if got := fmt.Sprint(err); test.want != "" && got != test.want || test.want == "" && err != nil {
				t.Errorf("error %q, want %q", got, test.want)
			}
		})
	}
}

func TestCheckListsABoundedNumberOfProblems(t *testing.T) {
	typ := mustParse(t, `{"type":"List","inner":{"type":"U8"}}`)
	for count, want := range map[int]int{31: 31, 32: 32, 33: 33, 100_000: 33} {
		value := "[" + strings.TrimSuffix(strings.Repeat(`"x",`, count), ",") + "]"
		_, err := Check(typ, []byte(value))
		var mismatch *MismatchError
		if !errors.As(err, &mismatch) || len(mismatch.Problems) != want {
			t.Fatalf("%d wrong items: got %v, want %d problems", count, err, want)
		}
		last := mismatch.Problems[len(mismatch.Problems)-1]
		if more := last == "further problems are not listed"; more != (count > 32) {
			t.Errorf("%d wrong items: the last problem is %q", count, last)
		}
	}
}

func TestCheckStopsAfterTooManyProblems(t *testing.T) {
	typ := mustParse(t, `{"type":"List","inner":{"type":"List","inner":{"type":"U8"}}}`)
	inner := make([]any, 1000)
	c := checker{work: maxWork}
	c.value(typ, []any{inner, inner, inner})
	if got, want := len(c.problems), maxProblems+1; got != want {
		t.Errorf("%d problems were made, want %d", got, want)
	}
}

func TestCheckPrintsNoMoreThanCheckStoredReads(t *testing.T) {
	typ := mustParse(t, `{"type":"Tuple","items":[{"type":"Str"},{"type":"F64"}]}`)
	for _, length := range []int{MaxValueBytes - 2, MaxValueBytes - 1, MaxValueBytes} {
		const around = `["",1]` // printed with 1.0
		canonical, err := Check(typ, []byte(`["`+strings.Repeat("x", length-len(around))+`",1]`))
		if (err != nil) != (length > MaxValueBytes-2) {
			t.Errorf("a value of %d bytes: %d bytes are printed, %v", length, len(canonical), err)
		}
	}
}

func TestCheckShortensLongNames(t *testing.T) {
	name := strings.Repeat("ü", 10_000)
	_, err := Check(mustParse(t, `{"type":"Record","fields":[{"name":"`+name+`","typ":{"type":"U8"}}]}`), []byte(`{}`))
	if want := "value does not match type: [key '" + name[:128] + "…' not found]"; err == nil || err.Error() != want {
		t.Errorf("got %d bytes of error, want %q", len(fmt.Sprint(err)), want)
	}
}

func TestNothingTakesTheZeroType(t *testing.T) {
	for _, typ := range []*Type{nil, {}} {
		if _, err := Check(typ, []byte("null")); err == nil {
			t.Error("Check takes a value for the zero type")
		}
		if _, err := typ.MarshalStored(); err == nil {
			t.Error("the zero type is stored")
		}
	}
}
