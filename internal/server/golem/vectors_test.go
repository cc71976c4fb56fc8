// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"bytes"
	"encoding/json"
	"math/big"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vectorsFile holds the contract's executable cases, which the conformance test
// runs against the real server too.
const vectorsFile = "../../../test/conformance/testdata/golem-vectors.json"

type vector struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Request struct {
		Method  string             `json:"method"`
		URL     string             `json:"url"`
		Given   string             `json:"given"`
		Headers map[string]*string `json:"headers"`
		Body    json.RawMessage    `json:"body"`
		RawBody string             `json:"rawBody"`
	} `json:"request"`
	Status    int             `json:"status"`
	Body      json.RawMessage `json:"body"`
	BodyShape string          `json:"bodyShape"`

	Type      json.RawMessage `json:"type"`
	Value     json.RawMessage `json:"value"`
	Valid     bool            `json:"valid"`
	Output    json.RawMessage `json:"output"`
	Echoed    json.RawMessage `json:"echoed"`
	Path      json.RawMessage `json:"path"`
	Canonical []string        `json:"canonical"`
}

// vectors returns the vectors of a kind, and fails if there are fewer than want.
func vectors(t *testing.T, kind string, want int) []vector {
	t.Helper()
	data, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatalf("the contract's vectors are missing: %v", err)
	}
	var all []vector
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(v vector) bool { return v.Kind != kind })
	if len(all) < want {
		t.Fatalf("got %d vectors of kind %s, want at least the contract's %d", len(all), kind, want)
	}
	return all
}

func TestContractVectors(t *testing.T) {
	for _, v := range vectors(t, "http", 32) {
		t.Run(v.Name, func(t *testing.T) { runVector(t, v) })
	}
}

// arrange makes the state that a vector gives and returns who calls, and what
// {env} and {id} stand for.
func arrange(t *testing.T, f *fixture, v vector) (caller, env, id string) {
	t.Helper()
	caller, env, id = "admin", first.ID, idOf(1)
	typ := stringType
	switch v.Request.Given {
	case "", "revision 0":
	case "environment unknown, deleted, or not visible to the caller":
		env = hidden.ID
	case "caller has only the viewer share":
		caller = "onlooker"
	case "type Option<Str>, revision 0":
		typ = `{"type":"Option","inner":{"type":"Str"}}`
	case "already deleted":
		path := f.given(t, `["Api_Key"]`, stringType, `"v"`)
		f.as(t, "admin", "PATCH", path, `{"currentRevision":0}`)
		if got := f.as(t, "admin", "DELETE", deletionOf(path)+"?current_revision=1", ""); got.Code != 200 {
			t.Fatalf("the deletion before: %d %s", got.Code, got.Body)
		}
		return caller, env, id
	default:
		t.Fatalf("unknown state %q", v.Request.Given)
	}
	if strings.Contains(v.Request.URL, "{id}") {
		f.given(t, `["Api_Key"]`, typ, `"v"`)
	}
	return caller, env, id
}

func runVector(t *testing.T, v vector) {
	f := newFixture(t)
	caller, env, id := arrange(t, f, v)
	fill := strings.NewReplacer("{env}", env, "{id}", id)
	body := v.Request.RawBody
	if body == "" && string(v.Request.Body) != "null" {
		body = string(v.Request.Body)
	}
	r := httptest.NewRequestWithContext(t.Context(), v.Request.Method, fill.Replace(v.Request.URL), strings.NewReader(body))
	if v.Request.Headers == nil || len(v.Request.Headers) > 0 {
		r.Header.Set("Authorization", "Bearer "+caller)
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range v.Request.Headers {
		r.Header.Del(name)
		if value != nil {
			r.Header.Set(name, *value)
		}
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if w.Code != v.Status {
		t.Fatalf("status = %d, want %d: %s", w.Code, v.Status, w.Body)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/json; charset=utf-8" {
		t.Errorf("content type = %q", ct)
	}
	switch {
	case v.BodyShape == "ErrorsBody":
		checkErrors(t, v, w.Body.Bytes())
	case v.Body != nil:
		if diff := cmp.Diff(numbers(t, []byte(fill.Replace(string(v.Body)))), numbers(t, w.Body.Bytes())); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
	case !json.Valid(w.Body.Bytes()):
		t.Errorf("the answer is no JSON: %s", w.Body)
	}
}

// checkErrors checks the shape of a 400 and the code, if the vector has one.
func checkErrors(t *testing.T, v vector, body []byte) {
	t.Helper()
	var got, want struct {
		Code   string   `json:"code"`
		Errors []string `json:"errors"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil || len(got.Errors) == 0 || slices.Contains(got.Errors, "") {
		t.Errorf("%s is no body of errors: %v", body, err)
	}
	if v.Body != nil {
		if err := json.Unmarshal(v.Body, &want); err != nil {
			t.Fatal(err)
		}
	} else {
		want.Code = "INVALID_REQUEST"
	}
	if got.Code != want.Code {
		t.Errorf("code = %s, want %s", got.Code, want.Code)
	}
}

// numbers decodes JSON so that numbers compare as numbers.
func numbers(t *testing.T, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return exact(v)
}

func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		if r, ok := new(big.Rat).SetString(v.String()); ok {
			return r.RatString()
		}
		return v
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
		return v
	case map[string]any:
		for key := range v {
			v[key] = exact(v[key])
		}
		return v
	}
	return v
}

func TestValueVectorsThroughTheAPI(t *testing.T) {
	for _, v := range vectors(t, "value", 115) {
		t.Run(v.Name, func(t *testing.T) {
			f := newFixture(t)
			path := f.given(t, `["k"]`, string(v.Type), "")
			got := f.as(t, "admin", "PATCH", path, `{"currentRevision":0,"secretValue":{"op":"set","value":`+string(v.Value)+`}}`)
			if !v.Valid {
				if got.Code != 400 || !strings.HasPrefix(got.Body.String(),
					`{"code":"AGENT_SECRET_VALUE_TYPE_MISMATCH","errors":["Agent secret value does not match type: [`) {
					t.Errorf("got %d %s, want a mismatch", got.Code, got.Body)
				}
				return
			}
			read := f.as(t, "admin", "GET", path, "")
			if got.Code != 200 || got.Body.String() != read.Body.String() {
				t.Fatalf("the write answers %d %s, the read %d %s", got.Code, got.Body, read.Code, read.Body)
			}
			answer := numbers(t, read.Body.Bytes()).(map[string]any)
			if diff := cmp.Diff(numbers(t, v.Output), answer["secretValue"]); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTypeVectorsThroughTheAPI(t *testing.T) {
	for _, v := range vectors(t, "type", 12) {
		t.Run(v.Name, func(t *testing.T) {
			f := newFixture(t)
			got := f.as(t, "admin", "POST", secretsPath, `{"path":["k"],"secretType":`+string(v.Type)+`}`)
			if !v.Valid {
				if got.Code != 400 || !strings.HasPrefix(got.Body.String(), `{"code":"INVALID_REQUEST","errors":["secretType`) {
					t.Errorf("got %d %s, want an invalid type", got.Code, got.Body)
				}
				return
			}
			answer, _ := numbers(t, got.Body.Bytes()).(map[string]any)
			if diff := cmp.Diff(numbers(t, v.Echoed), answer["secretType"]); diff != "" {
				t.Errorf("type (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPathVectorsThroughTheAPI(t *testing.T) {
	for _, v := range vectors(t, "path", 36) {
		t.Run(v.Name, func(t *testing.T) {
			f := newFixture(t)
			got := f.as(t, "admin", "POST", secretsPath, `{"path":`+string(v.Path)+`,"secretType":{"type":"Str"}}`)
			if len(v.Canonical) == 0 || slices.Contains(v.Canonical, "") {
				if got.Code != 400 || !strings.HasPrefix(got.Body.String(), `{"code":"INVALID_REQUEST","errors":["path`) {
					t.Errorf("got %d %s, want ours, which is stricter", got.Code, got.Body)
				}
				return
			}
			var answer agentSecret
			_ = json.Unmarshal(got.Body.Bytes(), &struct{ Path *[]string }{&answer.Path})
			if diff := cmp.Diff(v.Canonical, answer.Path); diff != "" {
				t.Errorf("path (-want +got):\n%s", diff)
			}
		})
	}
}
