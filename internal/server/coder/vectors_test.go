// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vectorsFile holds the contract's executable cases, which the conformance test
// runs against the real server too.
const vectorsFile = "../../../test/conformance/testdata/coder-vectors.json"

type vector struct {
	Name    string            `json:"name"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	Body    any               `json:"body"`
	RawBody *string           `json:"rawBody"`
	User    string            `json:"user"`
	Auth    string            `json:"auth"`
	Setup   []struct {
		Repeat int    `json:"repeat"`
		Method string `json:"method"`
		Path   string `json:"path"`
		Body   any    `json:"body"`
	} `json:"setup"`
	Expect struct {
		Status         int     `json:"status"`
		Field          *string `json:"field"`
		DetailContains string  `json:"detailContains"`
		BodyIncludes   any     `json:"bodyIncludes"`
	} `json:"expect"`
	DetailAlso           string            `json:"detailAlso"`
	ExpectMessage        string            `json:"expectMessage"`
	ExpectFieldsInOrder  []string          `json:"expectFieldsInOrder"`
	ExpectNamesInOrder   []string          `json:"expectNamesInOrder"`
	ExpectValues         map[string]string `json:"expectValues"`
	ExpectListEmptyAfter bool              `json:"expectListEmptyAfter"`
}

func TestContractVectors(t *testing.T) {
	data, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatalf("the contract's vectors are missing: %v", err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 188 {
		t.Fatalf("got %d vectors, want at least the 188 of the contract", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) { runVector(t, v) })
	}
}

func runVector(t *testing.T, v vector) {
	f := newFixture(t)
	for _, s := range v.Setup {
		for i := range max(1, s.Repeat) {
			iteration := strings.NewReplacer("{i}", fmt.Sprintf("%03d", i))
			body := iteration.Replace(string(encode(t, expand(s.Body))))
			got := f.send(t, s.Method, "me", iteration.Replace(s.Path), body, "", nil)
			if got.Code >= 300 {
				t.Fatalf("setup %s %s: status %d: %s", s.Method, s.Path, got.Code, got.Body)
			}
		}
	}
	body := ""
	switch {
	case v.RawBody != nil:
		body = *v.RawBody
	case v.Body != nil:
		body = string(encode(t, expand(v.Body)))
	}
	userKey := map[string]string{"": "me", "$other": bob.ID}[v.User]
	if userKey == "" {
		userKey = v.User
	}
	got := f.send(t, v.Method, userKey, v.Path, body, v.Auth, v.Headers)
	if got.Code != v.Expect.Status {
		t.Fatalf("status = %d, want %d: %s", got.Code, v.Expect.Status, got.Body)
	}
	if got.Body.Len() > 0 {
		if ct := got.Header().Get("Content-Type"); ct != "application/json; charset=utf-8" {
			t.Errorf("content type = %q", ct)
		}
	}
	checkVectorAnswer(t, v, got.Body.Bytes())
	for name, want := range v.ExpectValues {
		if value := f.memory.byUser[alice.Namespace][name].Value.Reveal(); string(value) != want {
			t.Errorf("value of %s differs from what was sent: %q, want %q", name, value, want)
		}
	}
	if v.ExpectListEmptyAfter {
		if list := f.send(t, "GET", "me", "", "", "", nil).Body.String(); strings.TrimSpace(list) != "[]" {
			t.Errorf("list after = %s, want []", list)
		}
	}
}

func checkVectorAnswer(t *testing.T, v vector, body []byte) {
	t.Helper()
	if v.Expect.Status >= 400 {
		var e errorBody
		if err := json.Unmarshal(body, &e); err != nil {
			t.Fatalf("answer is no Error: %s", body)
		}
		text := e.Message + " " + e.Detail
		var fields []string
		for _, val := range e.Validations {
			fields = append(fields, val.Field)
			if v.Expect.Field != nil && val.Field == *v.Expect.Field {
				text = val.Detail
			}
		}
		if v.Expect.Field != nil && !slices.Contains(fields, *v.Expect.Field) {
			t.Errorf("fields = %q, want %q among them", fields, *v.Expect.Field)
		}
		for _, want := range []string{v.Expect.DetailContains, v.DetailAlso} {
			if !strings.Contains(text, want) {
				t.Errorf("answer %q does not contain %q", text, want)
			}
		}
		if v.ExpectMessage != "" && e.Message != v.ExpectMessage {
			t.Errorf("message = %q, want %q", e.Message, v.ExpectMessage)
		}
		if diff := cmp.Diff(v.ExpectFieldsInOrder, fields); v.ExpectFieldsInOrder != nil && diff != "" {
			t.Errorf("fields in order (-want +got):\n%s", diff)
		}
	}
	var decoded any
	if len(body) > 0 {
		if err := json.Unmarshal(body, &decoded); err != nil {
			t.Fatal(err)
		}
	}
	if v.ExpectNamesInOrder != nil {
		var names []string
		for _, s := range decoded.([]any) {
			names = append(names, s.(map[string]any)["name"].(string))
		}
		if diff := cmp.Diff(v.ExpectNamesInOrder, names); diff != "" {
			t.Errorf("names in order (-want +got):\n%s", diff)
		}
	}
	if v.Expect.BodyIncludes != nil {
		includes(t, "body", decoded, v.Expect.BodyIncludes)
	}
}

// includes checks whether got has all of want: members of objects, and arrays
// element by element.
func includes(t *testing.T, at string, got, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		object, _ := got.(map[string]any)
		for key, w := range want {
			g, present := object[key]
			if w == "$absent" {
				if present {
					t.Errorf("%s.%s is present", at, key)
				}
				continue
			}
			includes(t, at+"."+key, g, w)
		}
	case []any:
		array, ok := got.([]any)
		if !ok || len(array) != len(want) {
			t.Errorf("%s = %v, want %d elements", at, got, len(want))
			return
		}
		for i := range want {
			includes(t, fmt.Sprintf("%s[%d]", at, i), array[i], want[i])
		}
	default:
		if got != want {
			t.Errorf("%s = %v, want %v", at, got, want)
		}
	}
}

// expand replaces {"$repeat":[text,n]} by that text.
func expand(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if repeat, ok := v["$repeat"].([]any); ok {
			return strings.Repeat(repeat[0].(string), int(repeat[1].(float64)))
		}
		out := map[string]any{}
		for key, member := range v {
			out[key] = expand(member)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = expand(v[i])
		}
		return out
	}
	return v
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	if v == nil {
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// send sends a request of alice's about the secrets of a user.
func (f *fixture) send(t testing.TB, method, userKey, path, body, auth string, headers map[string]string,
) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, prefix+userKey+"/secrets"+path, bytes.NewReader([]byte(body)))
	switch auth {
	case "none":
	case "bearer":
		r.Header.Set("Authorization", "Bearer alice")
	case "query":
		r.URL.RawQuery = "coder_session_token=alice"
	default:
		r.Header.Set("Coder-Session-Token", "alice")
	}
	for key, value := range headers {
		r.Header.Set(key, value)
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

var _ http.Handler = (*Handler)(nil)
