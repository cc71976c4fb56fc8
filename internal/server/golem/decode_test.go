// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/latchkey-dev/latchkey/internal/server/store"
)

func TestContentTypes(t *testing.T) {
	for name, tc := range map[string]struct {
		values []string
		want   bool
	}{
		"JSON":                           {[]string{"application/json"}, true},
		"JSON with a charset":            {[]string{"application/json; charset=utf-8"}, true},
		"JSON with any parameter":        {[]string{"application/json;v=1"}, true},
		"JSON in capitals":               {[]string{"Application/JSON"}, true},
		"something that is JSON":         {[]string{"application/merge-patch+json"}, true},
		"a vendor's that is JSON":        {[]string{"application/vnd.golem.v1+json; a=b"}, true},
		"none":                           {nil, false},
		"an empty one":                   {[]string{""}, false},
		"two":                            {[]string{"application/json", "application/json"}, false},
		"two in one":                     {[]string{"application/json, application/json"}, false},
		"a text":                         {[]string{"text/plain"}, false},
		"a text that is JSON":            {[]string{"text/json"}, false},
		"something else that is JSON":    {[]string{"image/svg+json"}, false},
		"a form":                         {[]string{"application/x-www-form-urlencoded"}, false},
		"something like JSON":            {[]string{"application/json5"}, false},
		"JSON as what comes before":      {[]string{"application/json+xml"}, false},
		"JSON as a whole suffix":         {[]string{"application/+json"}, false},
		"any":                            {[]string{"application/*"}, false},
		"no subtype":                     {[]string{"application"}, false},
		"JSON as a parameter":            {[]string{"text/plain; a=application/json"}, false},
		"JSON with a broken parameter":   {[]string{"application/json; charset"}, false},
		"JSON with repeated parameters":  {[]string{"application/json; a=1; a=2"}, false},
		"JSON and the end of parameters": {[]string{"application/json;"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			r := httptest.NewRequestWithContext(t.Context(), "POST", secretsPath, strings.NewReader(`{"path":["k"],"secretType":{"type":"Str"}}`))
			r.Header["Content-Type"] = tc.values
			r.Header.Set("Authorization", "Bearer admin")
			w := httptest.NewRecorder()
			f.ServeHTTP(w, r)
			const refused = `{"code":"UNSUPPORTED_MEDIA_TYPE","error":"Content-Type must be application/json or application/*+json"}` + "\n"
			if tc.want && w.Code != 200 || !tc.want && (w.Code != 415 || w.Body.String() != refused) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
}

// canaries are values that must show in no message: a text, and a number that a
// decoder might print.
var canaries = []string{"canary7f3a", "918273645546372819"}

func TestReadingBodies(t *testing.T) {
	const (
		start       = `{"code":"INVALID_REQUEST","errors":["`
		createShape = start + `body: expected an object with the members path, secretType, secretValue"]}`
		updateShape = start + `body: expected an object with the members currentRevision, secretValue"]}`
		badOp       = start + `secretValue.op: expected \"set\" or \"unset\""]}`
		badUpdate   = start + `secretValue: expected null or an object with the member op"]}`
		badRevision = `currentRevision: expected an integer from 0 to 18446744073709551615`
		noStrings   = start + `path: expected an array of strings"]}`
		noType      = `secretType: expected a type: an object with the member type`
	)
	typed := func(rest string) string { return `{"path":["n"],"secretType":{"type":"Str"}` + rest }
	for name, tc := range map[string]struct {
		method, body string
		status       int
		want         string
	}{
		"an empty body":                       {"POST", "", 400, createShape},
		"a blank body":                        {"POST", " \r\n\t", 400, createShape},
		"an empty body of an update":          {"PATCH", "", 400, updateShape},
		"null":                                {"POST", "null", 400, createShape},
		"an array":                            {"POST", `["canary7f3a"]`, 400, createShape},
		"a text":                              {"PATCH", `"canary7f3a"`, 400, updateShape},
		"a number":                            {"PATCH", `918273645546372819`, 400, updateShape},
		"a cut-off body":                      {"POST", `{"secretValue":"canary7f3a`, 400, start + `body: not valid JSON at byte 26"]}`},
		"a body that is no JSON":              {"POST", `secretValue=canary7f3a`, 400, start + `body: not valid JSON at byte 1"]}`},
		"data after the value":                {"POST", typed(`}canary7f3a`), 400, start + `body: not valid JSON at byte 43"]}`},
		"a second value":                      {"PATCH", `{"currentRevision":0}{}`, 400, start + `body: not valid JSON at byte 22"]}`},
		"a byte order mark":                   {"PATCH", "\ufeff" + `{"currentRevision":0}`, 400, start + `body: not valid JSON at byte 1"]}`},
		"no UTF-8":                            {"POST", typed(`,"secretValue":"canary7f3a` + "\xff\"}"), 400, start + `body: not valid UTF-8"]}`},
		"half of a surrogate pair":            {"POST", typed(`,"secretValue":"canary7f3a\ud83d"}`), 400, start + `body: half of a surrogate pair in a string, at byte 68"]}`},
		"half of a pair in a path":            {"POST", `{"path":["a\udc00"],"secretType":{"type":"Str"}}`, 400, start + `body: half of a surrogate pair in a string, at byte 12"]}`},
		"a whole surrogate pair":              {"POST", typed(`,"secretValue":"\ud83d\udd11"}`), 200, `"secretValue":"🔑"`},
		"a number out of range":               {"POST", `{"path":["k"],"secretType":{"type":"F64"},"secretValue":1e400}`, 400, start + `body: number out of range at byte 57"]}`},
		"one in a member that is ignored":     {"POST", typed(`,"x":[-1e400]}`), 400, start + `body: number out of range at byte 48"]}`},
		"one in a member that is replaced":    {"POST", typed(`,"secretValue":1e400,"secretValue":"v"}`), 400, start + `body: number out of range at byte 57"]}`},
		"a number that is tiny":               {"POST", typed(`,"x":1e-400}`), 200, `"revision":0`},
		"a number with many digits":           {"POST", typed(`,"x":` + strings.Repeat("9", 400) + `}`), 400, start + `body: number out of range at byte 47"]}`},
		"nesting without end":                 {"POST", `{"x":` + strings.Repeat(`[`, 1<<20), 400, start + `body: not valid JSON at byte`},
		"nesting without end in objects":      {"PATCH", strings.Repeat(`{"secretValue":`, 1<<16), 400, start + `body: not valid JSON at byte`},
		"nesting of what is ignored":          {"POST", typed(`,"x":` + strings.Repeat("[", 512) + strings.Repeat("]", 512) + `}`), 400, start + `body: nested deeper than 512 levels"]}`},
		"less nesting of what is ignored":     {"POST", typed(`,"x":` + strings.Repeat("[", 511) + strings.Repeat("]", 511) + `}`), 200, `"revision":0`},
		"nesting of a value":                  {"POST", typed(`,"secretValue":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`), 400, start + `secretValue: nested deeper than 256 levels"]}`},
		"a type with 128 levels":              {"POST", `{"path":["n"],"secretType":` + nestedType(128) + `}`, 200, `"revision":0`},
		"a type with 129 levels":              {"POST", `{"path":["n"],"secretType":` + nestedType(129) + `}`, 400, `expected at most 128 levels of nesting"]}`},
		"just over the limit":                 {"POST", strings.Repeat(" ", 4<<20+1), 413, `{"code":"REQUEST_TOO_LARGE","error":"Request body is larger than 4194304 bytes"}`},
		"over the limit after the value":      {"PATCH", `{"currentRevision":0}` + strings.Repeat(" ", 4<<20), 413, `{"code":"REQUEST_TOO_LARGE"`},
		"just the limit is read":              {"PATCH", `{"currentRevision":0}` + strings.Repeat(" ", 4<<20-21), 200, `"revision":1`},
		"nothing at all":                      {"POST", `{}`, 400, start + `path: expected an array of strings","` + noType + `"]}`},
		"nulls":                               {"POST", `{"path":null,"secretType":null,"secretValue":null}`, 400, start + `path: expected an array of strings","` + noType + `"]}`},
		"a path that is a text":               {"POST", `{"path":"canary7f3a","secretType":{"type":"Str"}}`, 400, noStrings},
		"a path of numbers":                   {"POST", `{"path":[918273645546372819],"secretType":{"type":"Str"}}`, 400, noStrings},
		"a path with null":                    {"POST", `{"path":["a",null],"secretType":{"type":"Str"}}`, 400, start + `path[1]: expected a string"]}`},
		"an empty path":                       {"POST", `{"path":[],"secretType":{"type":"Str"}}`, 400, start + `path: expected 1 to 16 segments"]}`},
		"a path of 16 segments":               {"POST", `{"path":["a"` + strings.Repeat(`,"a"`, 15) + `],"secretType":{"type":"Str"}}`, 200, `"revision":0`},
		"a path of 17 segments":               {"POST", `{"path":["a"` + strings.Repeat(`,"a"`, 16) + `],"secretType":{"type":"Str"}}`, 400, start + `path: expected 1 to 16 segments"]}`},
		"an empty segment":                    {"POST", `{"path":["a","_-"],"secretType":{"type":"Str"}}`, 400, start + `path[1]: expected a segment with a letter or a digit"]}`},
		"a segment of 128 bytes":              {"POST", `{"path":["` + strings.Repeat("a", 128) + `"],"secretType":{"type":"Str"}}`, 200, `"revision":0`},
		"a segment of 129 bytes":              {"POST", `{"path":["` + strings.Repeat("a", 129) + `"],"secretType":{"type":"Str"}}`, 400, start + `path[0]: expected at most 128 bytes in lower camel case"]}`},
		"a segment that becomes short":        {"POST", `{"path":["` + strings.Repeat("_", 60000) + `a"],"secretType":{"type":"Str"}}`, 200, `"path":["a"]`},
		"a path without end":                  {"POST", `{"path":[` + strings.Repeat(`"",`, 1<<16) + `""],"secretType":{"type":"Str"}}`, 400, start + `path: longer than 65536 bytes"]}`},
		"a type without end":                  {"POST", `{"path":["n"],"secretType":{"type":"Str","x":"` + strings.Repeat("x", 64<<10) + `"}}`, 400, start + `secretType: longer than 65536 bytes"]}`},
		"a type that is a text":               {"POST", `{"path":["n"],"secretType":"Str"}`, 400, start + `secretType: expected a type: an object with the member type"]}`},
		"a type without members":              {"POST", `{"path":["n"],"secretType":{}}`, 400, start + `secretType.type: expected one of Bool, S8,`},
		"members are named as they are":       {"POST", `{"Path":["n"],"SECRETTYPE":{"type":"Str"}}`, 400, start + `path: expected an array of strings","` + noType + `"]}`},
		"other cases replace nothing":         {"POST", typed(`,"secretValue":"v","SecretValue":"canary7f3a","Path":1}`), 200, `"secretValue":"v"`},
		"unknown members are ignored":         {"POST", typed(`,"id":[1,{"a":null}],"revision":7}`), 200, `"revision":0`},
		"the last of repeated members counts": {"POST", `{"path":1,"secretType":{"type":"U8"},"secretValue":7,"path":["n"],"secretType":{"type":"Str"},"secretValue":"v"}`, 200, `"secretType":{"type":"Str"},"secretValue":"v"`},
		"a null that is last counts":          {"POST", typed(`,"secretValue":"v","secretValue":null}`), 200, `"secretValue":null`},
		"names may be escaped":                {"POST", `{"p\u0061th":["n"],"secretType":{"type":"Str"}}`, 200, `"path":["n"]`},
		"white space is of no account":        {"POST", "\n{ \"path\" : [ \"n\" ] , \"secretType\" : { \"type\" : \"Str\" } , \"secretValue\" : null }\n", 200, `"secretValue":null`},
		"a value of another type":             {"POST", typed(`,"secretValue":918273645546372819}`), 400, `{"code":"AGENT_SECRET_VALUE_TYPE_MISMATCH","errors":["Agent secret value does not match type: [expected string, found number]"]}`},
		"two things wrong with a value":       {"POST", `{"path":["n"],"secretType":{"type":"List","inner":{"type":"U8"}},"secretValue":["canary7f3a",256]}`, 400, `{"code":"AGENT_SECRET_VALUE_TYPE_MISMATCH","errors":["Agent secret value does not match type: [at [0]: expected number, found string, at [1]: expected u8 in 0 to 255]"]}`},
		"a value over the limit":              {"POST", typed(`,"secretValue":"` + strings.Repeat("v", 64<<10) + `"}`), 422, `{"code":"LIMIT_EXCEEDED","error":"The environment's limit of 65536 bytes per value is exceeded"}`},
		"a value of just the limit":           {"POST", typed(`,"secretValue":"` + strings.Repeat("v", 64<<10-2) + `"}`), 200, `"secretValue":"vvv`},
		"a value that is short when printed":  {"POST", typed(`,"secretValue":"` + strings.Repeat(`\u0076`, 64<<10-2) + `"}`), 200, `"secretValue":"vvv`},
		"a value over every limit":            {"POST", typed(`,"secretValue":"` + strings.Repeat("v", 2<<20) + `"}`), 422, `{"code":"LIMIT_EXCEEDED","error":"The environment's limit of bytes per value is exceeded"}`},
		"an update without a revision":        {"PATCH", `{"secretValue":{"op":"unset"}}`, 400, start + badRevision + `"]}`},
		"all that is wrong with an update":    {"PATCH", `{"currentRevision":"canary7f3a","secretValue":"canary7f3a"}`, 400, start + badRevision + `","secretValue: expected null or an object with the member op"]}`},
		"an update by a bare value":           {"PATCH", `{"currentRevision":0,"secretValue":"canary7f3a"}`, 400, badUpdate},
		"an update by a bare number":          {"PATCH", `{"currentRevision":0,"secretValue":918273645546372819}`, 400, badUpdate},
		"an update by an array":               {"PATCH", `{"currentRevision":0,"secretValue":[{"op":"unset"}]}`, 400, badUpdate},
		"an update by false":                  {"PATCH", `{"currentRevision":0,"secretValue":false}`, 400, badUpdate},
		"an update without an op":             {"PATCH", `{"currentRevision":0,"secretValue":{"value":"canary7f3a"}}`, 400, badOp},
		"an update with nothing":              {"PATCH", `{"currentRevision":0,"secretValue":{}}`, 400, badOp},
		"an unknown op":                       {"PATCH", `{"currentRevision":0,"secretValue":{"op":"canary7f3a","value":"v"}}`, 400, badOp},
		"an op in another case":               {"PATCH", `{"currentRevision":0,"secretValue":{"op":"Set","value":"v"}}`, 400, badOp},
		"an op that is null":                  {"PATCH", `{"currentRevision":0,"secretValue":{"op":null,"value":"v"}}`, 400, badOp},
		"an op that is no text":               {"PATCH", `{"currentRevision":0,"secretValue":{"op":918273645546372819}}`, 400, badOp},
		"set without a value":                 {"PATCH", `{"currentRevision":0,"secretValue":{"op":"set"}}`, 400, start + `secretValue.value: expected the value to set"]}`},
		"set with a value in another case":    {"PATCH", `{"currentRevision":0,"secretValue":{"op":"set","Value":"canary7f3a"}}`, 400, start + `secretValue.value: expected the value to set"]}`},
		"set with null":                       {"PATCH", `{"currentRevision":0,"secretValue":{"op":"set","value":null}}`, 400, `{"code":"AGENT_SECRET_VALUE_TYPE_MISMATCH","errors":["Agent secret value does not match type: [expected string, found null]"]}`},
		"set":                                 {"PATCH", `{"currentRevision":0,"secretValue":{"op":"set","value":"w"}}`, 200, `"revision":1,"secretType":{"type":"Str"},"secretValue":"w"`},
		"set with members that are ignored":   {"PATCH", `{"x":1,"currentRevision":0,"secretValue":{"value":"w","y":2,"op":"set"}}`, 200, `"secretValue":"w"`},
		"the last op counts":                  {"PATCH", `{"currentRevision":0,"secretValue":{"op":"unset","op":"set","value":1,"value":"w"}}`, 200, `"secretValue":"w"`},
		"unset with members that are ignored": {"PATCH", `{"currentRevision":0,"secretValue":{"op":"unset","value":918273645546372819,"foo":2}}`, 200, `"revision":1,"secretType":{"type":"Str"},"secretValue":null`},
		"nothing to change":                   {"PATCH", `{"currentRevision":0}`, 200, `"revision":1,"secretType":{"type":"Str"},"secretValue":"stored"`},
		"null changes nothing":                {"PATCH", `{"currentRevision":0,"secretValue":null}`, 200, `"revision":1,"secretType":{"type":"Str"},"secretValue":"stored"`},
		"a path and a type are not changed":   {"PATCH", `{"currentRevision":0,"path":["z"],"secretType":{"type":"U8"}}`, 200, `"path":["k"],"revision":1,"secretType":{"type":"Str"}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			path := f.given(t, `["k"]`, stringType, `"stored"`)
			if tc.method == "POST" {
				path = secretsPath
			}
			got := f.as(t, "admin", tc.method, path, tc.body)
			if got.Code != tc.status || !strings.Contains(got.Body.String(), tc.want) {
				t.Errorf("got %d %.1000s\nwant %d %s", got.Code, got.Body, tc.status, tc.want)
			}
			if strings.HasPrefix(tc.want, "{") && strings.HasSuffix(tc.want, "}") && got.Body.String() != tc.want+"\n" {
				t.Errorf("got %.1000s\nwant just %s", got.Body, tc.want)
			}
			for _, canary := range canaries {
				if strings.Contains(got.Body.String(), canary) {
					t.Errorf("the answer repeats the value %q", canary)
				}
			}
		})
	}
}

// nestedType is a type with so many levels around the innermost one, of the
// kind that takes most JSON.
func nestedType(levels int) string {
	return strings.Repeat(`{"type":"Record","fields":[{"name":"f","typ":`, levels) + stringType + strings.Repeat(`}]}`, levels)
}

func TestABodyThatBreaksOffIsNoRequest(t *testing.T) {
	for name, broken := range map[string]error{
		"the client closed early": io.ErrUnexpectedEOF,
		"the network failed":      errors.New("read tcp 10.0.0.7: connection reset"),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			path := f.given(t, `["k"]`, stringType, `"v"`)
			body := io.MultiReader(strings.NewReader(`{"currentRevision":0}`), iotest.ErrReader(broken))
			r := httptest.NewRequestWithContext(t.Context(), "PATCH", path, body)
			r.Header.Set("Authorization", "Bearer admin")
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			f.ServeHTTP(w, r)
			want := `{"code":"INVALID_REQUEST","errors":["body: it broke off"]}` + "\n"
			if diff := cmp.Diff(want, w.Body.String()); w.Code != 400 || diff != "" {
				t.Errorf("status %d, body (-want +got):\n%s", w.Code, diff)
			}
			if f.memory.writes != 0 {
				t.Error("half a request was written")
			}
		})
	}
}

func TestReadBody_RequestToTheClusterBreaksOff_IsNotTheCallersFault(t *testing.T) {
	for _, method := range []string{"POST", "PATCH"} {
		f := newFixture(t)
		path := f.given(t, `["k"]`, stringType, `"v"`)
		broken := fmt.Errorf("%w: %w", store.ErrUnavailable, &url.Error{Op: "Post", URL: "https://cluster", Err: io.ErrUnexpectedEOF})
		f.people.fail = map[string]error{"create": broken, "patch": broken}
		body := `{"currentRevision":0}`
		if method == "POST" {
			path, body = secretsPath, `{"path":["n"],"secretType":{"type":"Str"},"secretValue":"v"}`
		}
		if got := f.as(t, "admin", method, path, body); got.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s, want 503", method, got.Code, got.Body)
		}
	}
}

func TestReadBody_OfARefusedRequest_IsNotWaitedFor(t *testing.T) {
	f := newFixture(t)
	path := f.given(t, `["k"]`, stringType, `"v"`)
	for _, tc := range []struct {
		caller, method, path string
		want                 int
	}{
		{"stranger", "POST", secretsPath, 404},
		{"viewer", "POST", secretsPath, 403},
		{"stranger", "PATCH", path, 404},
		{"viewer", "PATCH", path, 403},
	} {
		r := httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, iotest.ErrReader(errors.New("read")))
		r.ContentLength = 1 << 20
		r.Header.Set("Authorization", "Bearer "+tc.caller)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if w.Code != tc.want || w.Header().Get("Connection") != "close" {
			t.Errorf("%s by %s: %d %s, want %d without the body", tc.method, tc.caller, w.Code, w.Body, tc.want)
		}
	}
}

func TestADeletionNeedsNoBody(t *testing.T) {
	f := newFixture(t)
	path := f.given(t, `["k"]`, stringType, `"v"`)
	r := httptest.NewRequestWithContext(t.Context(), "DELETE", deletionOf(path)+"?current_revision=0", iotest.ErrReader(errors.New("unread")))
	r.Header.Set("Authorization", "Bearer admin")
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if w.Code != 200 {
		t.Errorf("got %d %s, want 200", w.Code, w.Body)
	}
}
