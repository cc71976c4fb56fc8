// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func scalar(kind string) string { return `{"type":"` + kind + `"}` }

const (
	abTuple  = `{"type":"Tuple","items":[{"type":"U8"},{"type":"Str"}]}`
	flags    = `{"type":"Flags","names":["read","write","true","1","1.5","100.0","-0.0","1e+16"]}`
	variant  = `{"type":"Variant","cases":[{"name":"num","typ":{"type":"U8"}},{"name":"none"}]}`
	result   = `{"type":"Result","ok":{"type":"U8"},"err":{"type":"Str"}}`
	handle   = `{"type":"Handle","resource_id":7,"mode":"Owned"}`
	optional = `{"type":"Record","fields":[{"name":"b","typ":{"type":"Str"}},{"name":"a","typ":{"type":"Option","inner":{"type":"U8"}}}]}`
)

func TestCheckPrints(t *testing.T) {
	tests := map[string]struct{ typ, value, want string }{
		"the smallest s8":                                 {scalar("S8"), `-128`, `-128`},
		"a little below zero is zero for s8":              {scalar("S8"), `-0.9`, `0`},
		"negative zero is zero for u8":                    {scalar("U8"), `-0`, `0`},
		"a negative zero with a point is zero for u8":     {scalar("U8"), `-0.0`, `0`},
		"a number below the smallest float is zero":       {scalar("U8"), `-1e-999`, `0`},
		"a float just below the maximum is truncated":     {scalar("U8"), `254.99999999`, `254`},
		"a decimal that reads as the maximum is in range": {scalar("U8"), `255.00000000000000001`, `255`},
		"an exponent makes an integer":                    {scalar("U16"), `6.5535e4`, `65535`},
		"the largest u32":                                 {scalar("U32"), `4294967295.0`, `4294967295`},
		"the smallest s64":                                {scalar("S64"), `-9223372036854775808`, `-9223372036854775808`},
		"the largest float below 2^63 as its decimal":     {scalar("S64"), `9223372036854774784.0`, `9223372036854775000`},
		"an s64 beyond 2^53 stays exact":                  {scalar("S64"), `-9007199254740993`, `-9007199254740993`},
		"the largest u64":                                 {scalar("U64"), `18446744073709551615`, `18446744073709551615`},
		"the largest u64 as digits":                       {scalar("U64"), `"18446744073709551615"`, `18446744073709551615`},
		"a u64 of zero as digits":                         {scalar("U64"), `"0"`, `0`},
		"the smallest s64 as digits":                      {scalar("S64"), `"-9223372036854775808"`, `-9223372036854775808`},
		"an s64 beyond 2^53 as digits":                    {scalar("S64"), `"9007199254740993"`, `9007199254740993`},
		"a u64 of zero":                                   {scalar("U64"), `0`, `0`},
		"an f64 prints a point":                           {scalar("F64"), `-3`, `-3.0`},
		"an f64 has no negative zero":                     {scalar("F64"), `-0.0`, `0.0`},
		"an f64 of 1e16 prints an exponent":               {scalar("F64"), `10000000000000000`, `1e+16`},
		"an f64 below 1e16 prints a point":                {scalar("F64"), `9999999999999998`, `9999999999999998.0`},
		"a small f64 prints an exponent of one digit":     {scalar("F64"), `0.0000001`, `1e-7`},
		"an f64 of 1e-5 prints a point":                   {scalar("F64"), `1e-5`, `0.00001`},
		"an integer beyond u64 is an f64":                 {scalar("F64"), `18446744073709551616`, `1.8446744073709552e+19`},
		"the largest u64 as f64":                          {scalar("F64"), `18446744073709551615`, `1.8446744073709552e+19`},
		"an f32 is widened":                               {scalar("F32"), `16777217`, `16777216.0`},
		"a negative f32 that vanishes is zero":            {scalar("F32"), `-1e-50`, `0.0`},
		"an f32 just below the bound rounds up to it":     {scalar("F32"), `3.4028234e38`, `3.4028234663852886e+38`},
		"the largest u64 as f32":                          {scalar("F32"), `18446744073709551615`, `1.8446744073709552e+19`},
		"the last char":                                   {scalar("Chr"), `1114111`, `1114111`},
		"the char before the surrogates":                  {scalar("Chr"), `55295`, `55295`},
		"the char after the surrogates":                   {scalar("Chr"), `57344`, `57344`},
		"a string with escapes":                           {scalar("Str"), `"\u0000\n\t\r\"\\\/\u00e9\ud83d\udd11<\u2028"`, `"\u0000\n\t\r\"\\/é🔑<` + "\u2028" + `"`},
		"space around the value":                          {scalar("Bool"), " \n true\t", `true`},
		"flags in the order of the type":                  {flags, `["1","write","read"]`, `["read","write","1"]`},
		"flags by boolean and number":                     {flags, `[true,1,1.5,1e2,-0,1e16]`, `["true","1","1.5","100.0","-0.0","1e+16"]`},
		"a number is compared in the form it is read in":  {flags, `[1.50]`, `["1.5"]`},
		"no flags": {flags, `[]`, `[]`},
		"a flag named twice in the type is printed twice":  {`{"type":"Flags","names":["a","b","a"]}`, `["a"]`, `["a","a"]`},
		"an option in an option is null":                   {`{"type":"Option","inner":{"type":"Option","inner":{"type":"U8"}}}`, `null`, `null`},
		"an empty list":                                    {`{"type":"List","inner":{"type":"U8"}}`, `[ ]`, `[]`},
		"a list prints its items":                          {`{"type":"List","inner":{"type":"F64"}}`, `[1, 2.5]`, `[1.0,2.5]`},
		"a tuple":                                          {abTuple, `[1.5, "x"]`, `[1,"x"]`},
		"a record in the order of the type":                {optional, `{"a":1,"b":"x"}`, `{"b":"x","a":1}`},
		"a missing option field is null":                   {optional, `{"b":"x"}`, `{"b":"x","a":null}`},
		"unknown keys are dropped":                         {optional, `{"b":"x","c":[{"d":1}]}`, `{"b":"x","a":null}`},
		"the last of a repeated key counts":                {optional, `{"b":1,"a":2,"b":"y"}`, `{"b":"y","a":2}`},
		"of repeated fields the last is printed":           {`{"type":"Record","fields":[{"name":"a","typ":{"type":"U8"}},{"name":"b","typ":{"type":"U8"}},{"name":"a","typ":{"type":"F64"}}]}`, `{"a":1,"b":2}`, `{"b":2,"a":1.0}`},
		"a variant with a payload":                         {variant, `{"num":1.0}`, `{"num":1}`},
		"a unit case":                                      {variant, `{"none":null}`, `{"none":null}`},
		"a variant with its key twice":                     {variant, `{"num":"x","num":2}`, `{"num":2}`},
		"of repeated cases the last counts":                {`{"type":"Variant","cases":[{"name":"a","typ":{"type":"U8"}},{"name":"a","typ":{"type":"Str"}}]}`, `{"a":"x"}`, `{"a":"x"}`},
		"ok makes err ignored":                             {result, `{"err":5,"ok":1}`, `{"ok":1}`},
		"a result ignores other keys":                      {result, `{"err":"e","other":1}`, `{"err":"e"}`},
		"a unit result":                                    {`{"type":"Result","ok":null}`, `{"err":null}`, `{"err":null}`},
		"a handle with several slashes":                    {handle, `"https://a/b//00018446744073709551615"`, `"https://a/b//18446744073709551615"`},
		"a handle with a plus sign":                        {handle, `"a/+7"`, `"a/7"`},
		"a value as deep as types go":                      {nested("List", MaxNesting), strings.Repeat("[", MaxNesting) + "true" + strings.Repeat("]", MaxNesting), strings.Repeat("[", MaxNesting) + "true" + strings.Repeat("]", MaxNesting)},
		"a name with a quote":                              {`{"type":"Record","fields":[{"name":"a\"b","typ":{"type":"Bool"}}]}`, `{"a\u0022b":true}`, `{"a\"b":true}`},
		"a number with three hundred digits is an f64":     {scalar("F64"), "1" + strings.Repeat("0", 300), `1e+300`},
		"a string that looks like JSON beyond the bounds":  {scalar("Str"), `"1e999 [[{\\"`, `"1e999 [[{\\"`},
		"an ignored key may hold anything that is JSON":    {`{"type":"Record","fields":[]}`, `{"":{"":[1e308]}}`, `{}`},
		"names differ by a byte only":                      {`{"type":"Enum","cases":["é","e"]}`, `"\u00e9"`, `"é"`},
		"a list of flags keeps them apart":                 {`{"type":"List","inner":` + flags + `}`, `[["read"],[],["write"]]`, `[["read"],[],["write"]]`},
		"a record in a variant in a list":                  {`{"type":"List","inner":{"type":"Variant","cases":[{"name":"r","typ":` + optional + `}]}}`, `[{"r":{"b":"x"}}]`, `[{"r":{"b":"x","a":null}}]`},
		"an option of a record holds it bare":              {`{"type":"Option","inner":` + optional + `}`, `{"b":""}`, `{"b":"","a":null}`},
		"a field that is an option of an option may lack":  {`{"type":"Record","fields":[{"name":"a","typ":{"type":"Option","inner":{"type":"Option","inner":{"type":"U8"}}}}]}`, `{}`, `{"a":null}`},
		"the largest f32 below the bound as an f64 number": {scalar("F32"), `-3.4028232e38`, `-3.4028232635611926e+38`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			typ := mustParse(t, test.typ)
			got, err := Check(typ, []byte(test.value))
			if err != nil {
				t.Fatalf("Check: %v", err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("printed differs (-want +got):\n%s", diff)
			}
			again, err := CheckStored(typ, got)
			if err != nil {
				t.Fatalf("CheckStored of what Check printed: %v", err)
			}
			if diff := cmp.Diff(string(got), string(again)); diff != "" {
				t.Errorf("checking again prints something else (-first +second):\n%s", diff)
			}
		})
	}
}

func nested(kind string, depth int) string {
	return strings.Repeat(`{"type":"`+kind+`","inner":`, depth) + `{"type":"Bool"}` + strings.Repeat("}", depth)
}

func TestCheckRefuses(t *testing.T) {
	const (
		f32Range = "expected f32 in -340282346638528859811704183484516925440 to 340282346638528859811704183484516925440"
		s64Range = "expected s64 in -9223372036854775808 to 9223372036854775807"
		u64Range = "expected u64 in 0 to 18446744073709551615, written without point and exponent, or as a string of digits"
		noHandle = "expected handle, represented by a worker-url/resource-id string"
		badID    = "Failed to parse resource-id section of the handle value: "
	)
	tests := map[string]struct {
		typ, value string
		want       []string
	}{
		"bool from number":                      {scalar("Bool"), `1`, []string{"expected bool, found number"}},
		"s8 one too small":                      {scalar("S8"), `-129`, []string{"expected s8 in -128 to 127"}},
		"s8 a little too small":                 {scalar("S8"), `-128.0001`, []string{"expected s8 in -128 to 127"}},
		"s8 a little too large":                 {scalar("S8"), `127.5`, []string{"expected s8 in -128 to 127"}},
		"s16 far out":                           {scalar("S16"), `1e300`, []string{"expected s16 in -32768 to 32767"}},
		"u16 from list":                         {scalar("U16"), `[]`, []string{"expected number, found list"}},
		"u32 from record":                       {scalar("U32"), `{}`, []string{"expected number, found record"}},
		"s64 one too large":                     {scalar("S64"), `9223372036854775808`, []string{s64Range}},
		"s64 one too small":                     {scalar("S64"), `-9223372036854775809`, []string{s64Range}},
		"s64 a float of 2^63":                   {scalar("S64"), `9223372036854775807.0`, []string{s64Range}},
		"u64 negative zero":                     {scalar("U64"), `-0`, []string{u64Range}},
		"u64 from string":                       {scalar("U64"), `"one"`, []string{"expected u64, found string"}},
		"u64 from digits with a zero in front":  {scalar("U64"), `"01"`, []string{"expected u64, found string"}},
		"u64 from digits with a point":          {scalar("U64"), `"1.0"`, []string{"expected u64, found string"}},
		"u64 from digits with space":            {scalar("U64"), `" 1"`, []string{"expected u64, found string"}},
		"u64 from digits beyond it":             {scalar("U64"), `"18446744073709551616"`, []string{u64Range}},
		"u64 from negative digits":              {scalar("U64"), `"-1"`, []string{u64Range}},
		"s64 from digits beyond it":             {scalar("S64"), `"9223372036854775808"`, []string{s64Range}},
		"s64 from negative digits beyond it":    {scalar("S64"), `"-9223372036854775809"`, []string{s64Range}},
		"s64 from no digits":                    {scalar("S64"), `""`, []string{"expected number, found string"}},
		"u32 from digits":                       {scalar("U32"), `"1"`, []string{"expected number, found string"}},
		"f32 exact bound as an integer literal": {scalar("F32"), `340282346638528859811704183484516925440`, []string{f32Range}},
		"f32 negative bound":                    {scalar("F32"), `-340282346638528859811704183484516925440`, []string{f32Range}},
		"f32 just below the bound, same f64":    {scalar("F32"), `340282346638528859811704183484516925439.0`, []string{f32Range}},
		"chr negative":                          {scalar("Chr"), `-1`, []string{"expected char, found number"}},
		"chr last surrogate":                    {scalar("Chr"), `57343`, []string{"expected char: a Unicode scalar value as a number"}},
		"chr beyond Unicode":                    {scalar("Chr"), `1114112`, []string{"expected char: a Unicode scalar value as a number"}},
		"chr beyond 64 bits":                    {scalar("Chr"), `18446744073709551616`, []string{"expected char, found number"}},
		"enum unknown":                          {`{"type":"Enum","cases":["a"]}`, `"b"`, []string{"expected one of the cases of the enum"}},
		"enum with other case":                  {`{"type":"Enum","cases":["a"]}`, `"A"`, []string{"expected one of the cases of the enum"}},
		"enum without cases":                    {`{"type":"Enum","cases":[]}`, `""`, []string{"expected one of the cases of the enum"}},
		"enum from number":                      {`{"type":"Enum","cases":["1"]}`, `1`, []string{"expected enum, represented by a string, found number"}},
		"flags with null item":                  {flags, `["read",null]`, []string{"at [1]: expected flag, found null"}},
		"flags with two bad items":              {flags, `["x",2]`, []string{"at [0]: expected one of the names of the flags", "at [1]: expected one of the names of the flags"}},
		"flags with false":                      {flags, `[false]`, []string{"at [0]: expected one of the names of the flags"}},
		"list in list":                          {`{"type":"List","inner":{"type":"List","inner":{"type":"U8"}}}`, `[[1],[2,256]]`, []string{"at [1]: at [1]: expected u8 in 0 to 255"}},
		"tuple too short":                       {abTuple, `[1]`, []string{"expected tuple of 2 items, found another number of them"}},
		"tuple from null":                       {abTuple, `null`, []string{"expected tuple, represented by a list, found null"}},
		"record from list":                      {optional, `[]`, []string{"expected record, found list"}},
		"record with two problems":              {optional, `{"a":256}`, []string{"key 'b' not found", "invalid value for key a: expected u8 in 0 to 255"}},
		"record with null for a string":         {optional, `{"b":null}`, []string{"invalid value for key b: expected string, found null"}},
		"variant without keys":                  {variant, `{}`, []string{"Zero variants in in the input"}},
		"variant with several keys":             {variant, `{"num":1,"none":null}`, []string{"expected variant, represented by an object with one key, found several keys"}},
		"variant unknown case":                  {variant, `{"x":1}`, []string{"expected one of the cases of the variant"}},
		"variant unit case with payload":        {variant, `{"none":false}`, []string{"expected null for a unit case of the variant, found boolean"}},
		"variant payload of another type":       {variant, `{"num":"x"}`, []string{"expected number, found string"}},
		"result with bad ok does not try err":   {result, `{"ok":"x","err":"e"}`, []string{"expected number, found string"}},
		"result with null ok":                   {result, `{"ok":null}`, []string{"expected number, found null"}},
		"result from list":                      {result, `["ok"]`, []string{"Failed to retrieve either ok value or err value"}},
		"result without payload types":          {`{"type":"Result"}`, `{"err":false}`, []string{"The type of ok is absent, but some JSON value was provided"}},
		"handle from number":                    {handle, `7`, []string{noHandle + ", found number"}},
		"handle without slash":                  {handle, `"7"`, []string{noHandle}},
		"handle without id":                     {handle, `"a/"`, []string{badID + "cannot parse integer from empty string"}},
		"handle with negative id":               {handle, `"a/-1"`, []string{badID + "invalid digit found in string"}},
		"handle with two signs":                 {handle, `"a/++1"`, []string{badID + "invalid digit found in string"}},
		"handle with underscore":                {handle, `"a/1_0"`, []string{badID + "invalid digit found in string"}},
		"handle beyond u64":                     {handle, `"a/18446744073709551616"`, []string{badID + "number too large to fit in target type"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Check(mustParse(t, test.typ), []byte(test.value))
			var mismatch *MismatchError
			if !errors.As(err, &mismatch) {
				t.Fatalf("Check = %s, %v; want a MismatchError", got, err)
			}
			if got != nil {
				t.Errorf("printed %s for a refused value", got)
			}
			if diff := cmp.Diff(test.want, mismatch.Problems); diff != "" {
				t.Errorf("problems differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMismatchErrorJoinsItsProblems(t *testing.T) {
	_, err := Check(mustParse(t, `{"type":"List","inner":{"type":"U8"}}`), []byte(`["a",256]`))
	want := "value does not match type: [at [0]: expected number, found string, at [1]: expected u8 in 0 to 255]"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestCheckStoredTakesWhatCheckPrints(t *testing.T) {
	tests := map[string]struct{ typ, value string }{
		"the largest f32":          {scalar("F32"), `3.4028234663852886e+38`},
		"the largest negative f32": {scalar("F32"), `-3.4028234663852886e+38`},
		"fields of one name that print differently": {
			`{"type":"Record","fields":[{"name":"a","typ":{"type":"U64"}},{"name":"a","typ":{"type":"F64"}}]}`, `{"a":1.0}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			typ := mustParse(t, test.typ)
			if _, err := Check(typ, []byte(test.value)); err == nil {
				t.Error("Check takes it, so this test shows nothing")
			}
			got, err := CheckStored(typ, []byte(test.value))
			if err != nil || string(got) != test.value {
				t.Errorf("CheckStored = %s, %v; want the same again", got, err)
			}
		})
	}
	if _, err := CheckStored(mustParse(t, scalar("F32")), []byte(`3.402823466385289e+38`)); err == nil {
		t.Error("CheckStored takes a number beyond f32")
	}
}
