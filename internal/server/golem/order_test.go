// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The faults that a request can have, in the order in which they are told. A
// request with several of them is answered the first.
func TestOrderOfTheChecks(t *testing.T) {
	const (
		badID   = "/v1/envs/abc/agent-secrets"
		badBody = `{"path":["k"],"secretType":{"type":"canary"},"secretValue":1e400}`
		badNew  = `{"path":["k"],"secretType":{"type":"canary"},"secretValue":1}`
		badType = `{"path":["taken"],"secretType":{"type":"U8"},"secretValue":"canary"}`
		tooMuch = `{"path":["taken"],"secretType":{"type":"Str"},"secretValue":"$big"}`
		taken   = `{"path":["taken"],"secretType":{"type":"Str"},"secretValue":"v"}`
		unknown = "/v1/envs/" + unknownID + "/agent-secrets"
		unseen  = "/v1/envs/22222222-2222-4222-8222-22222222222b/agent-secrets"
		secret  = "/v1/agent-secrets/00000000-0000-4000-8000-000000000001"
		noOne   = "/v1/agent-secrets/" + unknownID
		badSet  = `{"currentRevision":0,"secretValue":{"op":"set","value":1}}`
		oldSet  = `{"currentRevision":7,"secretValue":{"op":"set","value":1}}`
		farSet  = `{"currentRevision":18446744073709551615,"secretValue":{"op":"set","value":1}}`
		oldBig  = `{"currentRevision":7,"secretValue":{"op":"set","value":"$big"}}`
		oldHuge = `{"currentRevision":7,"secretValue":{"op":"set","value":"$huge"}}`
		newBig  = `{"currentRevision":0,"secretValue":{"op":"set","value":"$big"}}`
		newHuge = `{"currentRevision":0,"secretValue":{"op":"set","value":"$huge"}}`
		form    = "application/x-www-form-urlencoded"
	)
	huge := strings.Repeat(" ", maxBodyBytes+1)
	for name, tc := range map[string]struct {
		caller, method, path, contentType, body string
		status                                  int
		code                                    string
	}{
		"a malformed id before the content type":        {"admin", "POST", badID, form, huge, 400, codeInvalid},
		"the content type before the size":              {"admin", "POST", unknown, form, huge, 415, codeMediaType},
		"the size before the body":                      {"admin", "POST", unknown, "", huge, 413, codeTooLarge},
		"the body before an unknown environment":        {"admin", "POST", unknown, "", badBody, 400, codeInvalid},
		"the path before an unknown environment":        {"admin", "POST", unknown, "", `{"path":["_"],"secretType":{"type":"Str"}}`, 400, codeInvalid},
		"a missing type before an unknown environment":  {"admin", "POST", unknown, "", `{"path":["k"]}`, 400, codeInvalid},
		"an unknown environment before the type":        {"admin", "POST", unknown, "", badNew, 404, codeUnknownEnvironment},
		"an environment not visible before the type":    {"admin", "POST", unseen, "", badNew, 404, codeUnknownEnvironment},
		"a stranger is told of no environment":          {"stranger", "POST", secretsPath, "", badNew, 404, codeUnknownEnvironment},
		"the role before the type":                      {"onlooker", "POST", secretsPath, "", badNew, 403, codeForbidden},
		"the role before the value":                     {"viewer", "POST", secretsPath, "", badType, 403, codeForbidden},
		"the role before a taken path":                  {"viewer", "POST", secretsPath, "", taken, 403, codeForbidden},
		"the type before the value":                     {"admin", "POST", secretsPath, "", badNew, 400, codeInvalid},
		"the value before a taken path":                 {"admin", "POST", secretsPath, "", badType, 400, codeMismatch},
		"the limit before a taken path":                 {"admin", "POST", secretsPath, "", tooMuch, 422, codeLimit},
		"a taken path at last":                          {"admin", "POST", secretsPath, "", taken, 409, codePathTaken},
		"a malformed id before an update's body":        {"admin", "PATCH", "/v1/agent-secrets/abc", "", "x", 400, codeInvalid},
		"the content type before an unknown secret":     {"admin", "PATCH", noOne, form, "", 415, codeMediaType},
		"the body before an unknown secret":             {"admin", "PATCH", noOne, "", `{"currentRevision":1.0}`, 400, codeInvalid},
		"an unknown secret before the value":            {"admin", "PATCH", noOne, "", badSet, 404, codeUnknownSecret},
		"a secret not visible before the role":          {"onlooker", "PATCH", secret, "", oldSet, 404, codeUnknownSecret},
		"the role before the revision":                  {"viewer", "PATCH", secret, "", oldSet, 403, codeForbidden},
		"the role before a revision above all":          {"viewer", "PATCH", secret, "", farSet, 403, codeForbidden},
		"the revision before the value":                 {"admin", "PATCH", secret, "", oldSet, 409, codeRevision},
		"a revision above all before the value":         {"admin", "PATCH", secret, "", farSet, 409, codeRevision},
		"the revision before the limit":                 {"admin", "PATCH", secret, "", oldBig, 409, codeRevision},
		"the revision before a value over every limit":  {"admin", "PATCH", secret, "", oldHuge, 409, codeRevision},
		"the value at last":                             {"admin", "PATCH", secret, "", badSet, 400, codeMismatch},
		"the limit at last":                             {"admin", "PATCH", secret, "", newBig, 422, codeLimit},
		"a value over every limit":                      {"admin", "PATCH", secret, "", newHuge, 422, codeLimit},
		"the query before an unknown secret":            {"admin", "DELETE", deletionOf(noOne), form, "", 400, codeInvalid},
		"an unknown secret before the revision":         {"admin", "DELETE", deletionOf(noOne) + "?current_revision=7", form, "", 404, codeUnknownSecret},
		"a secret not visible before the deleting role": {"onlooker", "DELETE", deletionOf(secret) + "?current_revision=7", "", "", 404, codeUnknownSecret},
		"the deleting role before the revision":         {"viewer", "DELETE", deletionOf(secret) + "?current_revision=7", "", "", 403, codeForbidden},
		"the revision of a deletion at last":            {"admin", "DELETE", deletionOf(secret) + "?current_revision=7", "", "", 409, codeRevision},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.given(t, `["taken"]`, stringType, `"canary"`)
			body := strings.NewReplacer("$big", strings.Repeat("v", maxValueBytes), "$huge", strings.Repeat("v", 1<<20)).Replace(tc.body)
			r := httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+tc.caller)
			r.Header.Set("Content-Type", "application/json")
			if tc.contentType != "" {
				r.Header.Set("Content-Type", tc.contentType)
			}
			w := httptest.NewRecorder()
			f.ServeHTTP(w, r)
			if w.Code != tc.status || !strings.HasPrefix(w.Body.String(), `{"code":"`+tc.code+`"`) {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tc.status, tc.code)
			}
			if strings.Contains(w.Body.String(), "canary") {
				t.Errorf("the answer repeats a value: %s", w.Body)
			}
			if f.memory.writes > 0 {
				t.Error("a refused request wrote")
			}
		})
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	const (
		one      = "/v1/agent-secrets/00000000-0000-4000-8000-000000000001"
		noSecret = `{"code":"AGENT_SECRET_NOT_FOUND","error":"Agent secret 00000000-0000-4000-8000-000000000001 not found"}`
		noEnv    = `{"code":"ENVIRONMENT_NOT_FOUND","error":"Environment 11111111-1111-4111-8111-11111111111a not found"}`
		create   = `{"path":["n"],"secretType":{"type":"Str"},"secretValue":"n"}`
		keep     = `{"currentRevision":0}`
	)
	forbidden := func(action string) string {
		return `{"code":"AUTH_FORBIDDEN","error":"The environment action ` + action + ` is not allowed"}`
	}
	// What is asked where nothing is allowed, until one may see the environment.
	seen := func(first string, until int) []string {
		all := []string{first, "list", "get", "create", "patch", "delete", "namespace", "refresh"}
		return all[:until]
	}
	for name, tc := range map[string]struct {
		rights             []string
		method, path, body string
		status             int
		want               string // "" for any success
		asked              []string
	}{
		"list with the right": {[]string{"list"}, "GET", secretsPath, "", 200, "", []string{"list", "value"}},
		"list with another right": {
			[]string{"get"}, "GET", secretsPath, "", 403, forbidden("ViewAgentSecret"), seen("list", 3),
		},
		"list with the Namespace alone": {
			[]string{"namespace"}, "GET", secretsPath, "", 403, forbidden("ViewAgentSecret"), seen("list", 7),
		},
		"list with nothing":              {nil, "GET", secretsPath, "", 404, noEnv, seen("list", 8)},
		"list with the value's right":    {[]string{"value"}, "GET", secretsPath, "", 404, noEnv, seen("list", 8)},
		"create with the right":          {[]string{"create"}, "POST", secretsPath, create, 200, "", []string{"create", "value"}},
		"create with the right to list":  {[]string{"list"}, "POST", secretsPath, create, 403, forbidden("CreateAgentSecret"), seen("create", 2)},
		"create with the Namespace":      {[]string{"namespace"}, "POST", secretsPath, create, 403, forbidden("CreateAgentSecret"), seen("create", 7)},
		"create with nothing":            {nil, "POST", secretsPath, create, 404, noEnv, seen("create", 8)},
		"read with the right":            {[]string{"get"}, "GET", one, "", 200, "", []string{"get/asec-1", "value/asec-1"}},
		"read with the right to it":      {[]string{"get/asec-1"}, "GET", one, "", 200, "", []string{"get/asec-1", "value/asec-1"}},
		"read with a right to another":   {[]string{"get/asec-2"}, "GET", one, "", 404, noSecret, []string{"get/asec-1"}},
		"read with all others":           {[]string{"list", "create", "patch", "delete", "value", "namespace"}, "GET", one, "", 404, noSecret, []string{"get/asec-1"}},
		"update with the right":          {[]string{"get", "patch"}, "PATCH", one, keep, 200, "", []string{"get/asec-1", "patch/asec-1", "value/asec-1"}},
		"update of what one cannot view": {[]string{"patch"}, "PATCH", one, keep, 404, noSecret, []string{"get/asec-1"}},
		"update of what one can view":    {[]string{"get"}, "PATCH", one, keep, 403, forbidden("UpdateAgentSecret"), []string{"get/asec-1", "patch/asec-1"}},
		"update with a right to another": {[]string{"get", "patch/asec-2"}, "PATCH", one, keep, 403, forbidden("UpdateAgentSecret"), []string{"get/asec-1", "patch/asec-1"}},
		"delete with the right": {
			[]string{"get", "delete"}, "DELETE", deletionOf(one) + "?current_revision=0", "", 200, "",
			[]string{"get/asec-1", "delete/asec-1", "value/asec-1"},
		},
		"delete of what one cannot view": {
			[]string{"delete"}, "DELETE", deletionOf(one) + "?current_revision=0", "", 404, noSecret, []string{"get/asec-1"},
		},
		"delete of what one can view": {
			[]string{"get", "patch"}, "DELETE", deletionOf(one) + "?current_revision=0", "", 403, forbidden("DeleteAgentSecret"),
			[]string{"get/asec-1", "delete/asec-1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.given(t, `["k"]`, stringType, `"v"`)
			f.people.rights["someone"] = tc.rights
			got := f.as(t, "someone", tc.method, tc.path, tc.body)
			if got.Code != tc.status || tc.want != "" && strings.TrimSpace(got.Body.String()) != tc.want {
				t.Errorf("got %d %s, want %d %s", got.Code, got.Body, tc.status, tc.want)
			}
			if diff := cmp.Diff(tc.asked, f.people.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if tc.status != 200 && f.memory.writes > 0 {
				t.Error("a refused request wrote")
			}
			if wantRefresh := tc.want == noSecret; (f.memory.refreshed == 1) != wantRefresh {
				t.Errorf("refreshed %d times for %s", f.memory.refreshed, tc.want)
			}
		})
	}
}

func TestAdmit_NotVisible_TakesTheWorkOfOneThatDoesNotExist(t *testing.T) {
	work := func(caller, method, path string) string {
		f := newFixture(t)
		f.given(t, `["k"]`, stringType, `"v"`)
		f.as(t, caller, method, path, `{"path":["n"],"secretType":{"type":"Str"}}`)
		for i, a := range f.people.asked {
			f.people.asked[i], _, _ = strings.Cut(a, "/")
		}
		return strings.Join(f.people.asked, " ")
	}
	unknown := strings.NewReplacer(first.ID, unknownID, idOf(1), unknownID)
	for name, tc := range map[string]struct{ method, path string }{
		"list":   {"GET", secretsPath},
		"create": {"POST", secretsPath},
		"get":    {"GET", prefix + "agent-secrets/" + idOf(1)},
		"delete": {"DELETE", prefix + "agent-secret/" + idOf(1) + "?current_revision=0"},
	} {
		for _, caller := range []string{"stranger", "someone"} {
			there, nowhere := work(caller, tc.method, tc.path), work(caller, tc.method, unknown.Replace(tc.path))
			// The real directory does this lookup as it finds nothing.
			if diff := cmp.Diff(strings.TrimSuffix(there, " refresh"), nowhere); diff != "" {
				t.Errorf("%s by %s: the work for what is there (-) and for what is not (+) differ:\n%s", name, caller, diff)
			}
		}
	}
}

func TestNothingIsWrittenWhileARightIsUndecided(t *testing.T) {
	for name, tc := range map[string]struct {
		undecided, caller, method, path, body string
	}{
		"the right to list":              {"list", "admin", "GET", secretsPath, ""},
		"the right to create":            {"create", "admin", "POST", secretsPath, `{"path":["n"],"secretType":{"type":"Str"}}`},
		"whether there is any right":     {"list", "viewer", "POST", secretsPath, `{"path":["n"],"secretType":{"type":"Str"}}`},
		"the value's, in a list":         {"value", "admin", "GET", secretsPath, ""},
		"the value's, in a creation":     {"value", "admin", "POST", secretsPath, `{"path":["n"],"secretType":{"type":"Str"},"secretValue":"w"}`},
		"the right to view":              {"get", "admin", "GET", "", ""},
		"the value's, in a read":         {"value", "admin", "GET", "", ""},
		"the right to update":            {"patch", "admin", "PATCH", "", `{"currentRevision":0}`},
		"the value's, in an update":      {"value", "admin", "PATCH", "", `{"currentRevision":0}`},
		"the value's, in a change of it": {"value", "admin", "PATCH", "", `{"currentRevision":0,"secretValue":{"op":"set","value":"w"}}`},
		"the right to delete":            {"delete", "admin", "DELETE", "", ""},
		"the value's, in a deletion":     {"value", "admin", "DELETE", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			path := f.given(t, `["k"]`, stringType, `"v"`)
			f.people.fail[tc.undecided] = errors.New("no answer")
			if tc.path != "" {
				path = tc.path
			}
			if tc.method == "DELETE" {
				path = deletionOf(path) + "?current_revision=0"
			}
			got := f.as(t, tc.caller, tc.method, path, tc.body)
			if got.Code != 500 || f.memory.writes > 0 || f.memory.opened > 0 {
				t.Errorf("status %d after %d writes and %d opened values, want 500 after none", got.Code, f.memory.writes, f.memory.opened)
			}
		})
	}
}
