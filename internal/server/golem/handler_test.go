// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRouting(t *testing.T) {
	const (
		noRoute  = `{"code":"ROUTE_NOT_FOUND","error":"Route not found"}` + "\n"
		noMethod = `{"code":"METHOD_NOT_ALLOWED","error":"Method not allowed"}` + "\n"
		badEnv   = `{"code":"INVALID_REQUEST","errors":["environment_id: expected a UUID"]}` + "\n"
		badID    = `{"code":"INVALID_REQUEST","errors":["agent_secret_id: expected a UUID"]}` + "\n"
		noEnv    = `{"code":"ENVIRONMENT_NOT_FOUND","error":"Environment ` + unknownID + ` not found"}` + "\n"
		noSecret = `{"code":"AGENT_SECRET_NOT_FOUND","error":"Agent secret ` + unknownID + ` not found"}` + "\n"
		list     = "/v1/envs/" + unknownID + "/agent-secrets"
		one      = "/v1/agent-secrets/" + unknownID
		deletion = "/v1/agent-secret/" + unknownID
	)
	for name, tc := range map[string]struct {
		method, path string
		status       int
		allow, body  string
	}{
		"an unknown route":                           {"GET", "/v1/keys", 404, "", noRoute},
		"an environment alone":                       {"GET", "/v1/envs/" + unknownID, 404, "", noRoute},
		"a path below a secret":                      {"GET", one + "/value", 404, "", noRoute},
		"a trailing slash":                           {"GET", list + "/", 404, "", noRoute},
		"all secrets of all environments":            {"GET", "/v1/agent-secrets", 404, "", noRoute},
		"an empty id":                                {"GET", "/v1/envs//agent-secrets", 404, "", noRoute},
		"another prefix":                             {"GET", "/v2/agent-secrets/" + unknownID, 404, "", noRoute},
		"no such method on all secrets":              {"DELETE", list, 405, "GET, HEAD, POST", noMethod},
		"PUT on one secret":                          {"PUT", one, 405, "GET, HEAD, PATCH", noMethod},
		"DELETE on the plural":                       {"DELETE", one + "?current_revision=0", 405, "GET, HEAD, PATCH", noMethod},
		"GET on the singular":                        {"GET", deletion, 405, "DELETE", noMethod},
		"HEAD on the singular":                       {"HEAD", deletion, 405, "DELETE", noMethod},
		"PATCH on the singular":                      {"PATCH", deletion, 405, "DELETE", noMethod},
		"methods are compared as they are":           {"get", one, 405, "GET, HEAD, PATCH", noMethod},
		"the method goes before the id":              {"DELETE", "/v1/agent-secrets/abc", 405, "GET, HEAD, PATCH", noMethod},
		"a malformed environment id":                 {"GET", "/v1/envs/abc/agent-secrets", 400, "", badEnv},
		"a malformed secret id":                      {"GET", "/v1/agent-secrets/abc", 400, "", badID},
		"a malformed id to delete":                   {"DELETE", "/v1/agent-secret/abc?current_revision=0", 400, "", badID},
		"an encoded slash is part of an id":          {"GET", "/v1/agent-secrets/a%2Fb", 400, "", badID},
		"an id is decoded once":                      {"GET", "/v1/agent-secrets/%2533" + unknownID[1:], 400, "", badID},
		"an encoded id":                              {"GET", "/v1/agent-secrets/%33" + unknownID[1:], 404, "", noSecret},
		"an unknown environment":                     {"GET", list, 404, "", noEnv},
		"an unknown secret":                          {"GET", one, 404, "", noSecret},
		"an unknown secret to delete":                {"DELETE", deletion + "?current_revision=0", 404, "", noSecret},
		"an id is read in upper case, told in lower": {"GET", "/v1/agent-secrets/" + strings.ToUpper(unknownID), 404, "", noSecret},
		"a query that nobody asks for is ignored":    {"GET", one + "?current_revision=x&%zz", 404, "", noSecret},
	} {
		t.Run(name, func(t *testing.T) {
			got := newFixture(t).as(t, "admin", tc.method, tc.path, "")
			if got.Code != tc.status || got.Header().Get("Allow") != tc.allow {
				t.Errorf("status %d, Allow %q, want %d, %q", got.Code, got.Header().Get("Allow"), tc.status, tc.allow)
			}
			if diff := cmp.Diff(tc.body, got.Body.String()); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if ct := got.Header().Get("Content-Type"); ct != "application/json; charset=utf-8" {
				t.Errorf("content type = %q", ct)
			}
		})
	}
}

func TestParseID(t *testing.T) {
	const id = "0123abcd-ef45-6789-abcd-ef0123456789"
	for name, tc := range map[string]struct {
		text string
		want string
	}{
		"a UUID":                         {id, id},
		"a UUID in upper case":           {strings.ToUpper(id), id},
		"the nil UUID":                   {"00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000"},
		"no hyphens":                     {strings.ReplaceAll(id, "-", ""), ""},
		"braces":                         {"{" + id + "}", ""},
		"a URN":                          {"urn:uuid:" + id, ""},
		"a digit too few":                {id[1:], ""},
		"a digit too many":               {id + "0", ""},
		"a letter beyond f":              {"g" + id[1:], ""},
		"a hyphen in a wrong place":      {"0123abcde-f45-6789-abcd-ef0123456789", ""},
		"a digit where a hyphen belongs": {"0123abcd0ef45-6789-abcd-ef0123456789", ""},
		"a character between the cases":  {"@" + id[1:], ""},
		"a control character":            {"\x01" + id[1:], ""},
		"a letter beyond ASCII":          {"é" + id[2:], ""},
		"a blank at the end":             {id[:35] + " ", ""},
		"nothing":                        {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parseID(tc.text)
			if got != tc.want || ok != (tc.want != "") {
				t.Errorf("parseID(%q) = %q, %v, want %q", tc.text, got, ok, tc.want)
			}
		})
	}
}

func TestBothPrefixesAreServed(t *testing.T) {
	const aggregated = "/apis/golem.latchkey.dev/v1/"
	f := newFixture(t)
	f.serve(aggregated, f.memory)
	path := aggregated + strings.TrimPrefix(secretsPath, prefix)
	if got := f.as(t, "admin", "POST", path, `{"path":["k"],"secretType":{"type":"Str"}}`); got.Code != 200 {
		t.Errorf("got %d %s, want 200", got.Code, got.Body)
	}
	if got := f.as(t, "admin", "GET", secretsPath, ""); got.Code != 404 {
		t.Errorf("the other prefix: got %d %s, want 404", got.Code, got.Body)
	}
}

func TestHEADIsServedAsGET(t *testing.T) {
	f := newFixture(t)
	path := f.given(t, `["k"]`, stringType, `"v"`)
	for _, p := range []string{path, secretsPath} {
		if got := f.as(t, "admin", "HEAD", p, ""); got.Code != 200 {
			t.Errorf("HEAD %s: status %d, want 200", p, got.Code)
		}
	}
}

func TestAMissingCallerIsRefusedFirst(t *testing.T) {
	const want = `{"code":"AUTH_UNAUTHORIZED","error":"Could not authenticate user using token"}` + "\n"
	for name, tc := range map[string]struct{ method, path string }{
		"before the store":  {"GET", secretsPath},
		"before the id":     {"GET", "/v1/agent-secrets/abc"},
		"before the method": {"PUT", secretsPath},
		"before the route":  {"GET", "/v1/keys"},
		"before the body":   {"POST", secretsPath},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			w := httptest.NewRecorder()
			f.golem.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, http.NoBody))
			if w.Code != http.StatusUnauthorized || w.Body.String() != want {
				t.Errorf("got %d %s, want 401 %s", w.Code, w.Body, want)
			}
		})
	}
}

func TestAnswersShowAllMembers(t *testing.T) {
	f := newFixture(t)
	path := f.given(t, `["DB","pass-word"]`, `{"type":"Option","inner":{"type":"Str"},"foo":1}`, `"<v>"`)
	secret := func(revision int, value string) string {
		return fmt.Sprintf(`{"id":"00000000-0000-4000-8000-000000000001","environmentId":"11111111-1111-4111-8111-11111111111a",`+
			`"path":["db","passWord"],"revision":%d,"secretType":{"type":"Option","name":null,"owner":null,"inner":{"type":"Str"}},`+
			`"secretValue":%s}`, revision, value)
	}
	for _, step := range []struct{ name, method, path, body, want string }{
		{"read", "GET", path, "", secret(0, `"<v>"`)},
		{"list", "GET", secretsPath, "", `{"values":[` + secret(0, `"<v>"`) + `]}`},
		{"set", "PATCH", path, `{"currentRevision":0,"secretValue":{"op":"set","value":"w"}}`, secret(1, `"w"`)},
		{"keep", "PATCH", path, `{"currentRevision":1}`, secret(2, `"w"`)},
		{"set none", "PATCH", path, `{"currentRevision":2,"secretValue":{"op":"set","value":null}}`, secret(3, `null`)},
		{"unset", "PATCH", path, `{"currentRevision":3,"secretValue":{"op":"unset"}}`, secret(4, `null`)},
		{"set again", "PATCH", path, `{"currentRevision":4,"secretValue":{"op":"set","value":"x"}}`, secret(5, `"x"`)},
		{"delete", "DELETE", deletionOf(path) + "?current_revision=5", "", secret(6, `"x"`)},
		{"list nothing", "GET", secretsPath, "", `{"values":[]}`},
	} {
		got := f.as(t, "admin", step.method, step.path, step.body)
		if got.Code != 200 {
			t.Fatalf("%s: %d %s", step.name, got.Code, got.Body)
		}
		want := strings.NewReplacer("<", `\u003c`, ">", `\u003e`).Replace(step.want) + "\n"
		if diff := cmp.Diff(want, got.Body.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		if cache := got.Header().Get("Cache-Control"); cache != "no-store" {
			t.Errorf("%s: Cache-Control = %q", step.name, cache)
		}
	}
}

func TestListIsOrderedByPath(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{`["b"]`, `["a","b"]`, `["é"]`, `["a"]`, `["a1"]`, `["a","_aB"]`, `["aB"]`, `["10"]`, `["9"]`, `["a","a","z"]`} {
		f.given(t, path, stringType, "")
	}
	var list struct{ Values []struct{ Path []string } }
	if err := json.Unmarshal(f.as(t, "viewer", "GET", secretsPath, "").Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range list.Values {
		got = append(got, strings.Join(v.Path, "."))
	}
	want := []string{"10", "9", "a", "a.a.z", "a.aB", "a.b", "a1", "aB", "b", "é"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestPathsAreUniqueInCanonicalForm(t *testing.T) {
	f := newFixture(t)
	path := f.given(t, `["db","secret_path"]`, stringType, "")
	again := func() *httptest.ResponseRecorder {
		return f.as(t, "admin", "POST", secretsPath, `{"path":["DB","secretPath"],"secretType":{"type":"Bool"}}`)
	}
	const want = `{"code":"AGENT_SECRET_ALREADY_EXISTS","error":"Agent secret for path db.secretPath already exists in environment"}` + "\n"
	if got := again(); got.Code != 409 || got.Body.String() != want {
		t.Errorf("got %d %s, want 409 %s", got.Code, got.Body, want)
	}
	f.as(t, "admin", "PATCH", path, `{"currentRevision":0}`)
	f.as(t, "admin", "DELETE", deletionOf(path)+"?current_revision=1", "")
	got := again()
	if got.Code != 200 || !strings.Contains(got.Body.String(), `"revision":0`) || strings.Contains(got.Body.String(), idOf(1)) {
		t.Errorf("after the deletion: got %d %s, want a new id with revision 0", got.Code, got.Body)
	}
}

func TestRevisions(t *testing.T) {
	const (
		conflict = `{"code":"CONCURRENT_UPDATE","error":"Concurrent update attempt"}` + "\n"
		query    = `{"code":"INVALID_REQUEST","errors":["current_revision: expected an integer from 0 to 18446744073709551615"]}` + "\n"
		once     = `{"code":"INVALID_REQUEST","errors":["current_revision: expected it once in the query"]}` + "\n"
	)
	body := strings.Replace(query, "current_revision", "currentRevision", 1)
	for name, tc := range map[string]struct {
		patch, query string
		status       int
		want         string // "" for a success
	}{
		"the current one":                    {"1", "current_revision=1", 200, ""},
		"an older one":                       {"0", "current_revision=0", 409, conflict},
		"a newer one":                        {"2", "current_revision=2", 409, conflict},
		"the largest int64":                  {"9223372036854775807", "current_revision=9223372036854775807", 409, conflict},
		"one above int64":                    {"9223372036854775808", "current_revision=9223372036854775808", 409, conflict},
		"one that is 1 when cut to 63 bits":  {"9223372036854775809", "current_revision=9223372036854775809", 409, conflict},
		"the largest u64":                    {"18446744073709551615", "current_revision=18446744073709551615", 409, conflict},
		"one above u64":                      {"18446744073709551616", "current_revision=18446744073709551616", 400, "bad"},
		"a negative one":                     {"-1", "current_revision=-1", 400, "bad"},
		"a negative zero":                    {"-0", "current_revision=-0", 400, "bad"},
		"a point":                            {"1.0", "current_revision=1.0", 400, "bad"},
		"an exponent":                        {"1e0", "current_revision=1e0", 400, "bad"},
		"a text":                             {`"1"`, `current_revision="1"`, 400, "bad"},
		"null":                               {"null", "current_revision=null", 400, "bad"},
		"a boolean":                          {"true", "current_revision=true", 400, "bad"},
		"an array":                           {"[1]", "current_revision=[1]", 400, "bad"},
		"no value in the query":              {"", "current_revision=", 400, query},
		"no query":                           {"", "", 400, once},
		"another query":                      {"", "currentRevision=1", 400, once},
		"two revisions in the query":         {"", "current_revision=1&current_revision=1", 400, once},
		"a plus sign in the query":           {"", "current_revision=%2B1", 400, query},
		"a blank in the query":               {"", "current_revision=+1", 400, query},
		"a query that is none":               {"", "current_revision=1&%zz", 400, `{"code":"INVALID_REQUEST","errors":["query: expected current_revision=N"]}` + "\n"},
		"other members of the query":         {"", "pretty=true&current_revision=1", 200, ""},
		"the last of two revisions":          {`0,"currentRevision":1`, "", 200, ""},
		"the last of two revisions is older": {`1,"currentRevision":0`, "", 409, conflict},
		"white space around":                 {" \n1\t", "", 200, ""},
	} {
		check := func(t *testing.T, got *httptest.ResponseRecorder, bad string) {
			t.Helper()
			want := strings.Replace(tc.want, "bad", bad, 1)
			if got.Code != tc.status || want != "" && got.Body.String() != want {
				t.Errorf("got %d %s, want %d %s", got.Code, got.Body, tc.status, want)
			}
			if want == "" && !strings.Contains(got.Body.String(), `"revision":2`) {
				t.Errorf("got %s, want revision 2", got.Body)
			}
		}
		secret := func(t *testing.T) (*fixture, string) {
			f := newFixture(t)
			path := f.given(t, `["k"]`, stringType, `"v"`)
			f.as(t, "admin", "PATCH", path, `{"currentRevision":0}`)
			return f, path
		}
		if tc.patch != "" {
			t.Run(name+" in an update", func(t *testing.T) {
				f, path := secret(t)
				check(t, f.as(t, "admin", "PATCH", path, `{"currentRevision":`+tc.patch+`}`), body)
			})
		}
		if tc.query != "" || tc.patch == "" {
			t.Run(name+" in a deletion", func(t *testing.T) {
				f, path := secret(t)
				check(t, f.as(t, "admin", "DELETE", deletionOf(path)+"?"+tc.query, ""), query)
			})
		}
	}
}

func TestOfSimultaneousUpdatesOneSucceeds(t *testing.T) {
	f := newFixture(t)
	path := f.given(t, `["k"]`, stringType, `"v"`)
	statuses := make([]int, 16)
	var wait sync.WaitGroup
	for i := range statuses {
		wait.Go(func() {
			body := fmt.Sprintf(`{"currentRevision":0,"secretValue":{"op":"set","value":"v%d"}}`, i)
			statuses[i] = f.as(t, "admin", "PATCH", path, body).Code
		})
	}
	wait.Wait()
	count := map[int]int{}
	for _, status := range statuses {
		count[status]++
	}
	if diff := cmp.Diff(map[int]int{200: 1, 409: 15}, count); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}
