// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
)

// canaries are values that must show in no message: a text, and a number that a
// decoder might print.
var canaries = []string{"canary7f3a", "918273645546372819"}

func TestReadingBodies(t *testing.T) {
	const malformed = `{"message":"Request body must be valid JSON.","detail":"`
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"an empty body":                     {"POST", "", "", 400, malformed + `EOF"}`},
		"an empty body of an update":        {"PATCH", "/n", "", 400, malformed + `EOF"}`},
		"an empty body of an import":        {"POST", "/batch", "", 400, malformed + `EOF"}`},
		"a cut-off body":                    {"POST", "", `{"name":"canary7f3a`, 400, malformed + `unexpected EOF"}`},
		"a body that is no JSON":            {"POST", "", `name=n`, 400, malformed + `invalid character 'a' in literal null (expecting 'u')"}`},
		"a text where a boolean belongs":    {"POST", "", `{"enabled":"canary7f3a"}`, 400, malformed + `json: cannot unmarshal string into Go struct field createBody.enabled of type bool"}`},
		"a number where a text belongs":     {"POST", "", `{"value":918273645546372819}`, 400, malformed + `json: cannot unmarshal number into Go struct field createBody.value of type string"}`},
		"an object where a text belongs":    {"PATCH", "/n", `{"value":{"x":"canary7f3a"}}`, 400, malformed + `json: cannot unmarshal object into Go struct field updateBody.value of type string"}`},
		"an array":                          {"POST", "", `["canary7f3a"]`, 400, malformed + `json: cannot unmarshal array into Go value of type coder.createBody"}`},
		"a content that is no text":         {"POST", "/batch", `{"content":918273645546372819}`, 400, malformed + `json: cannot unmarshal number into Go struct field importBody.content of type string"}`},
		"a value that is no UTF-8":          {"POST", "", "{\"name\":\"n\",\"value\":\"canary7f3a\xff\"}", 400, malformed + `invalid UTF-8"}`},
		"half of a surrogate pair":          {"POST", "", `{"name":"n","value":"canary7f3a\ud800"}`, 400, malformed + `invalid JSON: half of a surrogate pair in a string, at byte 32"}`},
		"half of a pair in a description":   {"PATCH", "/n", `{"description":"canary7f3a\udc00"}`, 400, malformed + `invalid JSON: half of a surrogate pair in a string, at byte 27"}`},
		"half of a pair in a file":          {"POST", "/batch", `{"format":"env","content":"A=canary7f3a\ud83d"}`, 400, malformed + `invalid JSON: half of a surrogate pair in a string, at byte 40"}`},
		"a whole surrogate pair":            {"POST", "", `{"name":"pair","description":"\ud83d\udd11","value":"v"}`, 201, `"description":"🔑"`},
		"the replacement character itself":  {"POST", "", `{"name":"fffd","description":"\ufffd","value":"v"}`, 201, `"description":"�"`},
		"nesting without end":               {"POST", "", `{"x":` + strings.Repeat(`[`, 1<<20), 400, malformed + `invalid character '[' exceeded max depth"}`},
		"nesting without end in objects":    {"PATCH", "/n", strings.Repeat(`{"value":`, 1<<16), 400, malformed + `invalid character '{' exceeded max depth"}`},
		"just over the limit":               {"POST", "", strings.Repeat(" ", 4<<20+1), 413, `{"message":"Request body too large.","detail":"http: request body too large"}`},
		"over the limit after the value":    {"PATCH", "/n", `{"description":"d"}` + strings.Repeat(" ", 4<<20), 413, `{"message":"Request body too large.","detail":"http: request body too large"}`},
		"over the limit of the import":      {"POST", "/batch", strings.Repeat(" ", 8<<20+1), 413, `{"message":"Request body too large.","detail":"http: request body too large"}`},
		"just the limit is read":            {"POST", "", `{"name":"big","value":"v"}` + strings.Repeat(" ", 4<<20-26), 201, `"name":"big"`},
		"just the import's limit is read":   {"POST", "/batch", `{"format":"env","content":"A=1"}` + strings.Repeat(" ", 8<<20-32), 201, `"name":"A"`},
		"data after the value is ignored":   {"POST", "", `{"name":"m","value":"v"}]}` + "\xff", 201, `"name":"m"`},
		"unknown members are ignored":       {"POST", "", `{"name":"u","value":"v","id":[1,{"a":null}]}`, 201, `"name":"u"`},
		"null members are absent":           {"POST", "", `{"name":"z","value":"v","description":null,"enabled":null}`, 201, `"enabled":true`},
		"an update without a known member":  {"PATCH", "/n", `{"name":1,"x":"canary7f3a"}`, 400, `{"message":"At least one field must be provided."}`},
		"an update of nulls":                {"PATCH", "/n", `{"value":null,"enabled":null}`, 400, `{"message":"At least one field must be provided."}`},
		"the fields go before the secret":   {"PATCH", "/unknown", `{"file_path":"x"}`, 400, `{"message":"Validation failed.","validations":[{"field":"file_path"`},
		"all fields of an update at once":   {"PATCH", "/n", `{"description":"\u0000","file_path":"x","env_name":"1","value":"\u0000"}`, 400, `[{"field":"value","detail":"secret value must not contain null bytes"},{"field":"env_name","detail":"must start with a letter or underscore, followed by letters, digits, or underscores"},{"field":"file_path","detail":"file path must start with ~/ or /"},{"field":"description","detail":"description must not contain null bytes"}]`},
		"all fields of a creation at once":  {"POST", "", `{"name":".","value":"","description":"\u0000","file_path":"x","env_name":"1"}`, 400, `[{"field":"name","detail":"Name must not be . or .., which no client can address."},{"field":"value","detail":"Value is required."},{"field":"env_name",`},
		"an update may empty the value":     {"PATCH", "/n", `{"value":""}`, 200, `"name":"n"`},
		"an update by false alone":          {"PATCH", "/n", `{"enabled":false}`, 200, `"enabled":false`},
		"a null import is one without form": {"POST", "/batch", `null`, 400, `{"message":"Failed to parse secrets file.","detail":"a secrets file format is required"}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.send(t, "POST", "me", "", `{"name":"n","value":"v"}`, "", nil)
			got := f.send(t, tc.method, "me", tc.path, tc.body, "", nil)
			if got.Code != tc.status || !strings.Contains(got.Body.String(), tc.want) {
				t.Errorf("got %d %s\nwant %d %s", got.Code, got.Body, tc.status, tc.want)
			}
			for _, canary := range canaries {
				if strings.Contains(got.Body.String(), canary) {
					t.Errorf("the answer repeats the value %q", canary)
				}
			}
		})
	}
}

func TestAConnectionThatBreaksIsACutOffBody(t *testing.T) {
	for name, broken := range map[string]error{
		"the client closed early": io.ErrUnexpectedEOF,
		"the network failed":      errors.New("read tcp 10.0.0.7: connection reset"),
	} {
		t.Run(name, func(t *testing.T) {
			body := io.MultiReader(strings.NewReader(`{"name":"n","value":"v"}`), iotest.ErrReader(broken))
			r := httptest.NewRequest("POST", prefix+"me/secrets", body)
			r.Header.Set("Coder-Session-Token", "alice")
			w := httptest.NewRecorder()
			f := newFixture(t)
			f.ServeHTTP(w, r)
			want := `{"message":"Request body must be valid JSON.","detail":"unexpected EOF"}` + "\n"
			if w.Code != 400 || w.Body.String() != want {
				t.Errorf("got %d %s, want 400 %s", w.Code, w.Body, want)
			}
			if f.memory.touched != 0 {
				t.Error("the store was asked to keep half a request")
			}
		})
	}
}

// fuzzDecode looks for a panic and for a message that repeats what was sent:
// the canary stands anywhere in the body.
func fuzzDecode(f *testing.F, into func() any) {
	for _, seed := range [][2]string{
		{`{"name":"n","value":"`, `"}`},
		{`{"value":`, `}`},
		{`{"enabled":`, `}`},
		{`{"description":{"a":[`, `]},"env_name":null}`},
		{`{"`, `":1,"file_path":true}`},
		{`[`, `]`}, {``, ``}, {`null `, ``}, {`{"value":"\`, `"}`}, {"{\"value\":\"\xff", `"}`}, {`{"value":-`, `e99999}`},
	} {
		f.Add(seed[0], seed[1], false)
		f.Add(seed[0], seed[1], true)
	}
	f.Fuzz(func(t *testing.T, before, after string, number bool) {
		canary := canaries[0]
		if number {
			canary = canaries[1]
		}
		err := decodeJSON([]byte(before+canary+after), into())
		var malformed *malformedBodyError
		if err != nil && !errors.As(err, &malformed) {
			t.Fatalf("error of another type: %T", err)
		}
		if err != nil && strings.Contains(malformed.detail, canary) {
			t.Errorf("the message repeats the value: %s", malformed.detail)
		}
	})
}

func FuzzCreateBody(f *testing.F) { fuzzDecode(f, func() any { return new(createBody) }) }

func FuzzUpdateBody(f *testing.F) { fuzzDecode(f, func() any { return new(updateBody) }) }
