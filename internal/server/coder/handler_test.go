// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
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
		"an unknown user":                     {"GET", "/api/v2/users/nope/secrets", 404, "", noAccess},
		"a user that cannot be one":           {"GET", "/api/v2/users/%00/secrets", 404, "", noAccess},
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

// operations are all that can be asked for, of a user and of one that does not exist.
var everyOperation = map[string]struct {
	method, path, body, verb string
	granted                  int
}{
	"list":             {"GET", "", "", "list", 200},
	"create":           {"POST", "", `{"name":"n","value":"v"}`, "create", 201},
	"create, too much": {"POST", "", `{"name":"n","value":"`, "create", 400},
	"import":           {"POST", "/batch", `{"format":"env","content":"A=1"}`, "create", 201},
	"get known":        {"GET", "/known", "", "get", 200},
	"get unknown":      {"GET", "/unknown", "", "get", 404},
	"patch known":      {"PATCH", "/known", `{"description":"d"}`, "patch", 200},
	"patch unknown":    {"PATCH", "/unknown", `{"description":"d"}`, "patch", 404},
	"patch, malformed": {"PATCH", "/known", `{`, "patch", 400},
	"delete known":     {"DELETE", "/known", "", "delete", 204},
	"delete unknown":   {"DELETE", "/unknown", "", "delete", 404},
}

func TestAdmit_WithoutAnyRight_AnswersAsForNobody(t *testing.T) {
	for name, op := range everyOperation {
		for _, caller := range []string{"alice", "admin", "stranger"} {
			t.Run(name+" by "+caller, func(t *testing.T) {
				f := newFixture(t)
				f.as(t, "bob", "POST", prefix+"bob/secrets", `{"name":"known","value":"v"}`)
				var answers, work [2]string
				for i, user := range []string{"bob", "nobody"} {
					f.memory.touched, f.people.asked = 0, nil
					got := f.as(t, caller, op.method, prefix+user+"/secrets"+op.path, op.body)
					answers[i] = fmt.Sprint(got.Code, got.Header(), got.Body)
					slices.Sort(f.people.asked) // a lookup can come first or last
					work[i] = strings.ReplaceAll(strings.Join(f.people.asked, ", "), "u-bob", "nobody")
					if f.memory.touched != 0 {
						t.Errorf("the store was asked %d times about %s, want never", f.memory.touched, user)
					}
				}
				if !strings.HasPrefix(answers[0], "404") || !strings.HasSuffix(answers[0], noAccess) {
					t.Errorf("got %s, want 404 %s", answers[0], noAccess)
				}
				if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
					t.Errorf("answers about bob and about nobody differ:\n%s", diff)
				}
				if diff := cmp.Diff(work[0], work[1]); diff != "" || !strings.Contains(work[0], "refresh") {
					t.Errorf("the work for bob (-) and for nobody (+) differ:\n%s\n%s", diff, work[0])
				}
			})
		}
	}
}

func TestAdmit_WithSomeRights_GrantsJustThose(t *testing.T) {
	for name, op := range everyOperation {
		for _, granted := range []string{"list", "get", "create", "patch", "delete"} {
			t.Run(name+" with the right to "+granted, func(t *testing.T) {
				f := newFixture(t)
				f.as(t, "bob", "POST", prefix+"bob/secrets", `{"name":"known","value":"v"}`)
				f.people.granted = []string{granted}
				want, body := 404, noAccess
				switch granted {
				case op.verb:
					want, body = op.granted, ""
				case "get", "list":
					want = 403
					body = `{"message":"Forbidden.","detail":"You may not ` + op.verb + ` the secrets of this user."}` + "\n"
				}
				got := f.as(t, "admin", op.method, prefix+"bob/secrets"+op.path, op.body)
				if got.Code != want || body != "" && got.Body.String() != body {
					t.Errorf("got %d %s, want %d %s", got.Code, got.Body, want, body)
				}
			})
		}
	}
}

func TestAdmit_CallerIsNoUser_IsToldWhatIsMissing(t *testing.T) {
	got := newFixture(t).as(t, "stranger", "GET", prefix+"me/secrets", "")
	want := `{"message":"Resource not found or you do not have access to this resource","detail":"No Namespace is yours: it needs the label ` +
		`latchkey.dev/user, and the annotation latchkey.dev/subjects with your Kubernetes user name on a line of it (without the annotation, ` +
		`the label's value is the user name)."}` + "\n"
	if diff := cmp.Diff(want, got.Body.String()); got.Code != http.StatusNotFound || diff != "" {
		t.Errorf("got %d, want 404 (-want +got):\n%s", got.Code, diff)
	}
}

func TestADeniedBodyIsNotRead(t *testing.T) {
	f := newFixture(t)
	body := &countingReader{}
	r := httptest.NewRequest("POST", "/api/v2/users/bob/secrets", body)
	r.Header.Set("Coder-Session-Token", "alice")
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if w.Code != http.StatusNotFound || body.reads != 0 {
		t.Errorf("status %d after %d reads, want 404 after none", w.Code, body.reads)
	}
}

type countingReader struct{ reads int }

func (r *countingReader) Read([]byte) (int, error) {
	r.reads++
	return 0, errors.New("unread")
}

func TestAdmit_OnesOwnSecrets_NeedNoRight(t *testing.T) {
	f := newFixture(t)
	f.people.fail = errors.New("no answer")
	for _, key := range []string{"me", "alice", alice.ID} {
		if got := f.as(t, "alice", "GET", prefix+key+"/secrets", ""); got.Code != http.StatusOK || len(f.people.asked) > 0 {
			t.Errorf("%s: status %d after asking %q, want 200 after asking nothing", key, got.Code, f.people.asked)
		}
	}
}

func TestAMissingCallerIsRefused(t *testing.T) {
	f := newFixture(t)
	h := New(Config{Prefix: prefix, Directory: f.people, Access: f.people, Secrets: f.memory})
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
	h := New(Config{Prefix: prefix, Directory: f.people, Access: f.people, Secrets: f.memory})
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
