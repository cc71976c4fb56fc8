// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

const root = "/api/v2/"

// account asks the handler with its endpoints besides secrets, and all in front of
// them that this package has.
func account(t *testing.T, caller, method, path, token string, granted ...string) *httptest.ResponseRecorder {
	t.Helper()
	known := &people{granted: granted}
	h := New(Config{Prefix: prefix, Root: root, Directory: known, Access: known, Secrets: newMemory()})
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(""))
	ctx := request.WithUser(r.Context(), &user.DefaultInfo{Name: caller})
	if token != "" && WantsCredential(root, r) {
		ctx = WithCredential(ctx, seal.ValueOf(token))
	}
	w := httptest.NewRecorder()
	Open(root, h).ServeHTTP(w, r.WithContext(ctx))
	return w
}

func TestAccount_Endpoints_AnswerAsDocumented(t *testing.T) {
	const (
		noRoute   = `{"message":"Route not found."}`
		noMethod  = `{"message":"Method not allowed."}`
		aliceBody = `{"id":"11111111-1111-4111-8111-111111111111","username":"alice","name":"alice","email":"",` +
			`"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z","status":"active","login_type":"token",` +
			`"organization_ids":[],"roles":[]}`
	)
	for name, tc := range map[string]struct {
		caller, method, path string
		status               int
		body                 string
	}{
		"the build":                       {"alice", "GET", "buildinfo", 200, `{"external_url":"https://github.com/latchkey-dev/latchkey","version":"v2.36.1+latchkey"}`},
		"the build's headers":             {"alice", "HEAD", "buildinfo", 200, `{"external_url":"https://github.com/latchkey-dev/latchkey","version":"v2.36.1+latchkey"}`},
		"there is a first user":           {"alice", "GET", "users/first", 200, `{"message":"The first user has already been created."}`},
		"a first user cannot be made":     {"alice", "POST", "users/first", 405, noMethod},
		"me":                              {"alice", "GET", "users/me", 200, aliceBody},
		"the caller by username":          {"alice", "GET", "users/alice", 200, aliceBody},
		"the caller by id":                {"alice", "GET", "users/" + alice.ID, 200, aliceBody},
		"another user, for a stranger":    {"alice", "GET", "users/bob", 404, strings.TrimSpace(noAccess)},
		"another user by id":              {"alice", "GET", "users/" + bob.ID, 404, strings.TrimSpace(noAccess)},
		"a key without a token":           {"alice", "POST", "users/me/keys", 400, `{"message":"There is no token to hand out.","detail":"The key is the token that the request presents, and this one presents none."}`},
		"a key of somebody else":          {"alice", "POST", "users/bob/keys", 404, noRoute},
		"a key of one's own by name":      {"alice", "POST", "users/alice/keys", 404, noRoute},
		"keys are not listed":             {"alice", "GET", "users/me/keys", 405, noMethod},
		"a logout":                        {"alice", "POST", "users/logout", 200, `{"message":"Logged out!","detail":"The token stays valid: the cluster issued it, and only the cluster can revoke it."}`},
		"a user cannot be deleted":        {"alice", "DELETE", "users/me", 405, noMethod},
		"what can be delivered":           {"alice", "GET", "deployment/user-secrets/capabilities", 200, `{"file_path_delivery_enabled":true}`},
		"other capabilities":              {"alice", "GET", "deployment/user-secrets", 404, noRoute},
		"other things of the product":     {"alice", "GET", "workspaces", 404, noRoute},
		"users are not listed":            {"alice", "GET", "users", 404, noRoute},
		"a slash too many":                {"alice", "GET", "users/me/", 404, noRoute},
		"an empty segment":                {"alice", "GET", "users//keys", 404, noRoute},
		"a segment with an escaped slash": {"alice", "GET", "users%2Fme", 404, noRoute},
		"secrets are where they were":     {"alice", "GET", "users/me/secrets", 200, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			got := account(t, tc.caller, tc.method, root+tc.path, "")
			if diff := cmp.Diff(tc.body, strings.TrimSpace(got.Body.String())); got.Code != tc.status || diff != "" {
				t.Errorf("status %d, want %d; body (-want +got):\n%s", got.Code, tc.status, diff)
			}
			if ct := got.Header().Get("Content-Type"); ct != "application/json; charset=utf-8" {
				t.Errorf("content type = %q", ct)
			}
		})
	}
}

func TestAccount_User_IsShownToWhoMaySeeTheirSecrets(t *testing.T) {
	for granted, want := range map[string]int{"get": 200, "list": 200, "create": 404, "patch": 404, "delete": 404} {
		if got := account(t, "admin", http.MethodGet, root+"users/bob", "", granted); got.Code != want {
			t.Errorf("with %s: %d %s, want %d", granted, got.Code, got.Body, want)
		}
	}
	unknown := account(t, "alice", http.MethodGet, root+"users/nobody", "")
	hidden := account(t, "alice", http.MethodGet, root+"users/bob", "")
	if unknown.Code != hidden.Code || unknown.Body.String() != hidden.Body.String() {
		t.Errorf("an unknown user is told by %d %s, a hidden one by %d %s", unknown.Code, unknown.Body, hidden.Code, hidden.Body)
	}
}

func TestAccount_Key_IsThePresentedTokenAndNotStored(t *testing.T) {
	got := account(t, "alice", http.MethodPost, root+"users/me/keys", "the-token")
	if got.Code != http.StatusCreated || strings.TrimSpace(got.Body.String()) != `{"key":"the-token"}` {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	if got.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control is %q", got.Header().Get("Cache-Control"))
	}
	nobody := account(t, "mallory", http.MethodPost, root+"users/me/keys", "the-token")
	if nobody.Code == http.StatusCreated || strings.Contains(nobody.Body.String(), "the-token") {
		t.Errorf("one who is no user got %d %s", nobody.Code, nobody.Body)
	}
}

func TestAccount_WithoutRoot_IsNotServed(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"users/me", "buildinfo", "users/logout", "deployment/user-secrets/capabilities"} {
		if got := f.as(t, "alice", http.MethodGet, root+path, ""); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
}
