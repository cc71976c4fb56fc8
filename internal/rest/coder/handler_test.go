// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
)

const noAccess = `{"message":"Resource not found or you do not have access to this resource"}` + "\n"

func (f *fixture) as(t *testing.T, caller, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Coder-Session-Token", caller)
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func TestRouting(t *testing.T) {
	for name, tc := range map[string]struct {
		method, path string
		status       int
		allow, body  string
	}{
		"an unknown route":                    {"GET", "/api/v2/users/me/keys", 404, "", `{"message":"Route not found."}` + "\n"},
		"a path below a secret":               {"GET", "/api/v2/users/me/secrets/a/b", 404, "", `{"message":"Route not found."}` + "\n"},
		"no such method on all secrets":       {"DELETE", "/api/v2/users/me/secrets", 405, "GET, HEAD, POST", `{"message":"Method not allowed."}` + "\n"},
		"no such method on one secret":        {"POST", "/api/v2/users/me/secrets/a", 405, "DELETE, GET, HEAD, PATCH", `{"message":"Method not allowed."}` + "\n"},
		"no such method on batch":             {"PUT", "/api/v2/users/me/secrets/batch", 405, "DELETE, GET, HEAD, PATCH, POST", `{"message":"Method not allowed."}` + "\n"},
		"methods are compared as they are":    {"get", "/api/v2/users/me/secrets", 405, "GET, HEAD, POST", `{"message":"Method not allowed."}` + "\n"},
		"an unknown user":                     {"GET", "/api/v2/users/nope/secrets", 400, "", `{"message":"\"user\" must be an existing uuid or username.","detail":"queried user=\"nope\""}` + "\n"},
		"a name that no secret can have":      {"GET", "/api/v2/users/me/secrets/%2e%2e", 404, "", noAccess},
		"a name that is no text":              {"DELETE", "/api/v2/users/me/secrets/%ff", 404, "", noAccess},
		"an encoded slash is part of a name":  {"GET", "/api/v2/users/me/secrets/a%2Fb", 404, "", noAccess},
		"HEAD is served as GET":               {"HEAD", "/api/v2/users/me/secrets", 200, "", "[]\n"},
		"a user by username":                  {"GET", "/api/v2/users/alice/secrets", 200, "", "[]\n"},
		"a user by id":                        {"GET", "/api/v2/users/" + alice.ID + "/secrets", 200, "", "[]\n"},
		"the import is not the secret's POST": {"POST", "/api/v2/users/me/secrets/batch2", 405, "DELETE, GET, HEAD, PATCH", `{"message":"Method not allowed."}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := newFixture(t).as(t, "alice", tc.method, tc.path, "")
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

func TestASecretNamedBatchIsASecret(t *testing.T) {
	f := newFixture(t)
	for _, step := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/batch", "", 404},
		{"POST", "", `{"name":"batch","value":"v"}`, 201},
		{"GET", "/batch", "", 200},
		{"HEAD", "/batch", "", 200},
		{"PATCH", "/batch", `{"description":"d"}`, 200},
		{"POST", "/batch", `{"format":"env","content":"A=1"}`, 201},
		{"DELETE", "/batch", "", 204},
		{"GET", "/A", "", 200},
	} {
		got := f.send(t, step.method, "me", step.path, step.body, "", nil)
		if got.Code != step.status {
			t.Errorf("%s %s: status %d, want %d: %s", step.method, step.path, got.Code, step.status, got.Body)
		}
		if got.Code == 204 && (got.Body.Len() > 0 || got.Header().Get("Content-Type") != "") {
			t.Errorf("%s %s: a 204 has a body or a content type", step.method, step.path)
		}
	}
}

func TestListIsAscendingByName(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"b", "é", "B", "a", "a b", "10", "9"} {
		f.send(t, "POST", "me", "", `{"name":"`+name+`","value":"v"}`, "", nil)
	}
	list := f.send(t, "GET", "me", "", "", "", nil).Body.String()
	at := -1
	for _, name := range []string{"10", "9", "B", "a", "a b", "b", "é"} {
		next := strings.Index(list, `"name":"`+name+`"`)
		if next <= at {
			t.Errorf("%q stands at %d, want it after %d in %s", name, next, at, list)
		}
		at = next
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	const (
		all   = "/api/v2/users/bob/secrets"
		known = all + "/known"
		other = all + "/unknown"
	)
	forbidden := func(verb string) string {
		return `{"message":"Forbidden.","detail":"You may not ` + verb + ` the secrets of this user."}` + "\n"
	}
	operations := map[string]struct {
		method, path, body string
		verb, asked        string
		denied             int
		deniedBody         string
		granted            int
	}{
		"list":             {"GET", all, "", "list", "list u-bob", 403, forbidden("list"), 200},
		"create":           {"POST", all, `{"name":"n","value":"v"}`, "create", "create u-bob", 403, forbidden("create"), 201},
		"import":           {"POST", all + "/batch", `{"format":"env","content":"A=1"}`, "create", "create u-bob", 403, forbidden("create"), 201},
		"get known":        {"GET", known, "", "get", "get u-bob known", 404, noAccess, 200},
		"get unknown":      {"GET", other, "", "get", "get u-bob unknown", 404, noAccess, 404},
		"patch known":      {"PATCH", known, `{"description":"d"}`, "patch", "patch u-bob known", 404, noAccess, 200},
		"patch unknown":    {"PATCH", other, `{"description":"d"}`, "patch", "patch u-bob unknown", 404, noAccess, 404},
		"patch, malformed": {"PATCH", known, `{`, "patch", "patch u-bob known", 404, noAccess, 400},
		"delete known":     {"DELETE", known, "", "delete", "delete u-bob known", 404, noAccess, 204},
		"delete unknown":   {"DELETE", other, "", "delete", "delete u-bob unknown", 404, noAccess, 404},
	}
	for name, op := range operations {
		for _, caller := range []string{"alice", "admin"} {
			t.Run(name+" is denied to "+caller+" without the right and loads nothing", func(t *testing.T) {
				f := newFixture(t)
				f.send(t, "POST", "me", "", "", "", nil)
				f.as(t, "bob", "POST", all, `{"name":"known","value":"v"}`)
				f.memory.touched, f.people.asked = 0, nil
				got := f.as(t, caller, op.method, op.path, op.body)
				if got.Code != op.denied || got.Body.String() != op.deniedBody {
					t.Errorf("got %d %s, want %d %s", got.Code, got.Body, op.denied, op.deniedBody)
				}
				if f.memory.touched != 0 {
					t.Errorf("the store was asked %d times, want never", f.memory.touched)
				}
				if diff := cmp.Diff([]string{op.asked}, f.people.asked); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
			})
		}
		t.Run(name+" is served to who has just that right", func(t *testing.T) {
			f := newFixture(t)
			f.as(t, "bob", "POST", all, `{"name":"known","value":"v"}`)
			f.people.granted = []string{op.verb}
			if got := f.as(t, "admin", op.method, op.path, op.body); got.Code != op.granted {
				t.Errorf("got %d %s, want %d", got.Code, got.Body, op.granted)
			}
		})
	}
}

func TestADeniedBodyIsNotRead(t *testing.T) {
	f := newFixture(t)
	body := &countingReader{}
	r := httptest.NewRequest("POST", "/api/v2/users/bob/secrets", body)
	r.Header.Set("Coder-Session-Token", "alice")
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || body.reads != 0 {
		t.Errorf("status %d after %d reads, want 403 after none", w.Code, body.reads)
	}
}

type countingReader struct{ reads int }

func (r *countingReader) Read([]byte) (int, error) {
	r.reads++
	return 0, errors.New("unread")
}

func TestAMissingCallerIsRefused(t *testing.T) {
	f := newFixture(t)
	h := New(Config{Prefix: prefix, Directory: f.people, Authorizer: f.people, Secrets: f.memory})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/api/v2/users/alice/secrets", http.NoBody))
	want := `{"message":"You are signed out or your session has expired. Please sign in again to continue.",` +
		`"detail":"No caller was authenticated."}` + "\n"
	if w.Code != http.StatusUnauthorized || w.Body.String() != want {
		t.Errorf("got %d %s, want 401 %s", w.Code, w.Body, want)
	}
}

func TestAnswersShowAllMembersButTheValue(t *testing.T) {
	f := newFixture(t)
	got := f.send(t, "POST", "me", "", `{"name":"n","value":"canary"}`, "", nil).Body.String()
	want := `{"id":"00000000-0000-4000-8000-000000000001","name":"n","description":"","env_name":"","file_path":"",` +
		`"enabled":true,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}` + "\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestImport(t *testing.T) {
	const held = `{"name":"HELD","value":"v","env_name":"HELD"}`
	full := `{"format":"json","content":"{\"HELD\":\"v\"` + strings.Repeat(`,\"K\":\"v\"`, 50) + `}"}`
	for name, tc := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"keys that are no variable are stored without": {
			`{"format":"env","content":"my-key=1\nPATH=2"}`, 201, `"name":"PATH","description":"","env_name":""`,
		},
		"every entry's errors come back together": {
			`{"format":"env","content":"A=\nb/c=1\nD=2\nE="}`, 400,
			`{"message":"Validation failed.","validations":[{"field":"secrets[0].value","detail":"Value is required."},` +
				`{"field":"secrets[1].name","detail":"Name must not contain /, ?, or #."},` +
				`{"field":"secrets[3].value","detail":"Value is required."}]}`,
		},
		"a taken name and variable are told by entry": {
			`{"format":"env","content":"A=1\nHELD=2"}`, 409,
			`{"message":"Validation failed.","validations":[{"field":"secrets[1].name","detail":"name already in use"},` +
				`{"field":"secrets[1].env_name","detail":"environment variable already in use"}]}`,
		},
		"the number of keys is told before duplicates": {full, 400, "secrets file contains 51 secrets"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.send(t, "POST", "me", "", held, "", nil)
			got := f.send(t, "POST", "me", "/batch", tc.body, "", nil)
			if got.Code != tc.status || !strings.Contains(got.Body.String(), tc.want) {
				t.Errorf("got %d %s, want %d with %s", got.Code, got.Body, tc.status, tc.want)
			}
			if stored := len(f.memory.byUser[alice.Namespace]); tc.status >= 400 && stored != 1 {
				t.Errorf("%d secrets are stored after a refused import, want the one from before", stored)
			}
		})
	}
}

func TestAnImportWaitsForItsTurn(t *testing.T) {
	f := newFixture(t)
	h := New(Config{Prefix: prefix, Directory: f.people, Authorizer: f.people, Secrets: f.memory})
	for range maxParsing {
		h.parsing <- struct{}{}
	}
	send := func(ctx context.Context) int {
		ctx = request.WithUser(ctx, &user.DefaultInfo{Name: "alice"})
		r := httptest.NewRequest("POST", prefix+"me/secrets/batch", strings.NewReader(`{"format":"env","content":"A=1"}`))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(ctx))
		return w.Code
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if got := send(gone); got != http.StatusServiceUnavailable || f.memory.touched != 0 {
		t.Errorf("status %d while others are parsed, want 503", got)
	}
	<-h.parsing
	if got := send(context.Background()); got != http.StatusCreated {
		t.Errorf("status %d with a free place, want 201", got)
	}
	if len(h.parsing) != maxParsing-1 {
		t.Error("the place is not given back")
	}
}
