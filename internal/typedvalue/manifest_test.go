// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// enclose are types around a type, and values around a value, at every depth that a type
// can have.
var enclose = map[string]struct{ typ, value, printed string }{
	"alone":       {`%`, `%`, `%`},
	"an option":   {`{"type":"Option","inner":%}`, `%`, `%`},
	"a list":      {`{"type":"List","inner":%}`, `[%]`, `[%]`},
	"a tuple":     {`{"type":"Tuple","items":[{"type":"Bool"},%]}`, `[true,%]`, `[true,%]`},
	"a record":    {`{"type":"Record","fields":[{"name":"a","typ":%}]}`, `{"a":%}`, `{"a":%}`},
	"a variant":   {`{"type":"Variant","cases":[{"name":"a","typ":%}]}`, `{"a":%}`, `{"a":%}`},
	"a result":    {`{"type":"Result","ok":%}`, `{"ok":%}`, `{"ok":%}`},
	"an error":    {`{"type":"Result","err":%}`, `{"err":%}`, `{"err":%}`},
	"a deep list": {`{"type":"List","inner":{"type":"Option","inner":{"type":"Record","fields":[{"name":"x","typ":%}]}}}`, `[null,{"x":%}]`, `[null,{"x":%}]`},
}

// throughAPI returns a value as the Kubernetes API passes it on: integers beyond int64
// are float64.
func throughAPI(t *testing.T, value string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(value))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var read func(v any) any
	read = func(v any) any {
		switch v := v.(type) {
		case json.Number:
			if i, err := v.Int64(); err == nil {
				return i
			}
			f, err := v.Float64()
			if err != nil {
				t.Fatal(err)
			}
			return f
		case []any:
			for i := range v {
				v[i] = read(v[i])
			}
		case map[string]any:
			for k := range v {
				v[k] = read(v[k])
			}
		}
		return v
	}
	out, err := json.Marshal(read(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestCheckManifest_AnyNumber_ArrivesAsWrittenOrIsRefused(t *testing.T) {
	const rounded = "refused"
	for name, tt := range map[string]struct{ kind, value, want string }{
		"the largest int64":                     {"U64", "9223372036854775807", "9223372036854775807"},
		"beyond 2^53":                           {"U64", "9007199254740993", "9007199254740993"},
		"one above the largest int64":           {"U64", "9223372036854775808", rounded},
		"what a float cannot hold":              {"U64", "10000000000000000001", rounded},
		"the largest u64":                       {"U64", "18446744073709551615", rounded},
		"what a float holds, as nobody can see": {"U64", "10000000000000000000", rounded},
		"in digits":                             {"U64", `"10000000000000000001"`, "10000000000000000001"},
		"the largest u64 in digits":             {"U64", `"18446744073709551615"`, "18446744073709551615"},
		"an s64 beyond 2^53":                    {"S64", "-9007199254740993", "-9007199254740993"},
		"the least s64":                         {"S64", "-9223372036854775808", "-9223372036854775808"},
		"the least s64 in digits":               {"S64", `"-9223372036854775808"`, "-9223372036854775808"},
		"the largest s64":                       {"S64", "9223372036854775807", "9223372036854775807"},
		"a small number is as ever":             {"U8", "255", "255"},
		"a float is as ever":                    {"F64", "18446744073709551615", "1.8446744073709552e+19"},
	} {
		for around, e := range enclose {
			t.Run(name+" in "+around, func(t *testing.T) {
				typ := mustParse(t, strings.Replace(e.typ, "%", scalar(tt.kind), 1))
				got, err := CheckManifest(typ, []byte(throughAPI(t, strings.Replace(e.value, "%", tt.value, 1))))
				var mismatch *MismatchError
				switch {
				case tt.want == rounded:
					if !errors.As(err, &mismatch) || !strings.Contains(err.Error(), "write it as a string of digits") {
						t.Errorf("CheckManifest = %s, %v, want a refusal with advice", got, err)
					}
				case err != nil:
					t.Error(err)
				default:
					if diff := cmp.Diff(strings.Replace(e.printed, "%", tt.want, 1), string(got)); diff != "" {
						t.Errorf("printed (-want +got):\n%s", diff)
					}
				}
			})
		}
	}
}

func TestParseStoredType_RoundedResourceID_IsRefused(t *testing.T) {
	for id, want := range map[string]bool{"9223372036854775807": true, "10000000000000000000": false, `"10000000000000000001"`: true} {
		_, err := ParseStoredType([]byte(`{"type":"Handle","mode":"Owned","resource_id":` + id + `}`))
		if (err == nil) != want {
			t.Errorf("a resource id of %s: %v, want it taken: %t", id, err, want)
		}
		if !want && (err == nil || !strings.Contains(err.Error(), "string of digits")) {
			t.Errorf("the refusal %v gives no advice", err)
		}
	}
}
