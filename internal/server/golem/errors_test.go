// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/klog/v2"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

func TestStoreErrorsBecomeAnswers(t *testing.T) {
	const (
		fault       = `{"code":"INTERNAL_UNKNOWN","error":"Internal error"}`
		unavailable = `{"code":"SERVICE_UNAVAILABLE","error":"The service is not available at the moment, try again"}`
		noEnv       = `{"code":"ENVIRONMENT_NOT_FOUND","error":"Environment 11111111-1111-4111-8111-11111111111a not found"}`
		noSecret    = `{"code":"AGENT_SECRET_NOT_FOUND","error":"Agent secret 00000000-0000-4000-8000-000000000001 not found"}`
		taken       = `{"code":"AGENT_SECRET_ALREADY_EXISTS","error":"Agent secret for path dbMain.n already exists in environment"}`
		revision    = `{"code":"CONCURRENT_UPDATE","error":"Concurrent update attempt"}`
		tooMany     = `{"code":"LIMIT_EXCEEDED","error":"The environment's limit of 7 secrets is reached"}`
	)
	count := &limits.Excess{Kind: limits.Count, Max: 7, Would: 8}
	conflict := &store.ConflictError{Conflicts: []store.Conflict{{Claim: v1alpha1.ClaimPath}}}
	for name, tc := range map[string]struct {
		method string
		err    error
		status int
		want   string
	}{
		"a secret that went away":               {"PATCH", fmt.Errorf("x: %w", store.ErrNotFound), 404, noSecret},
		"a secret that went away before":        {"DELETE", store.ErrNotFound, 404, noSecret},
		"an environment that went away":         {"POST", fmt.Errorf("x: %w", directory.ErrUnknown), 404, noEnv},
		"an environment that is not found":      {"POST", store.ErrNotFound, 404, noEnv},
		"a newer revision":                      {"PATCH", fmt.Errorf("x: %w", store.ErrRevision), 409, revision},
		"a revision before a limit":             {"PATCH", errors.Join(count, store.ErrRevision), 409, revision},
		"a newer revision of what is deleted":   {"DELETE", store.ErrRevision, 409, revision},
		"a taken path":                          {"POST", conflict, 409, taken},
		"the limit is told before a taken path": {"POST", errors.Join(conflict, count), 422, tooMany},
		"too many secrets":                      {"POST", count, 422, tooMany},
		"too many bytes": {
			"POST", &limits.Excess{Kind: limits.ValueBytes, Max: 921600, Would: 921601}, 422,
			`{"code":"LIMIT_EXCEEDED","error":"The environment's limit of 921600 bytes for all values is reached"}`,
		},
		"too many bytes of one value": {
			"PATCH", &limits.Excess{Kind: limits.OneValueBytes, Max: 65536, Would: 65537}, 422,
			`{"code":"LIMIT_EXCEEDED","error":"The environment's limit of 65536 bytes per value is exceeded"}`,
		},
		"a store that is not available":  {"PATCH", fmt.Errorf("x: %w", store.ErrUnavailable), 503, unavailable},
		"a deadline":                     {"POST", context.DeadlineExceeded, 503, unavailable},
		"anything else without its text": {"DELETE", errors.New("canary"), 500, fault},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			path := f.given(t, `["k"]`, stringType, `"v"`)
			body := `{"currentRevision":0}`
			switch tc.method {
			case "POST":
				path, body = secretsPath, `{"path":["DB_main","n"],"secretType":{"type":"Str"},"secretValue":"v"}`
			case "DELETE":
				path = deletionOf(path) + "?current_revision=0"
			}
			f.serve(prefix, refusing{f.memory, tc.err})
			got := f.as(t, "admin", tc.method, path, body)
			if got.Code != tc.status {
				t.Errorf("status = %d, want %d", got.Code, tc.status)
			}
			if diff := cmp.Diff(tc.want, strings.TrimSpace(got.Body.String())); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if retry := got.Header().Get("Retry-After") != ""; retry != (tc.status == 503) {
				t.Errorf("Retry-After is set: %v", retry)
			}
		})
	}
}

// refusing is a store that reads and refuses every write.
type refusing struct {
	*memory
	err error
}

func (r refusing) Create(context.Context, string, store.NewAgent) (*v1alpha1.AgentSecret, error) {
	return nil, r.err
}
func (r refusing) Update(context.Context, *v1alpha1.AgentSecret, int64, store.AgentChange) (*v1alpha1.AgentSecret, error) {
	return nil, r.err
}
func (r refusing) Delete(context.Context, *v1alpha1.AgentSecret, int64) (*v1alpha1.AgentSecret, error) {
	return nil, r.err
}

func TestFaultsAreLoggedWithoutValues(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want int
	}{
		"a fault is logged":                   {errors.New("etcd is down"), 1},
		"a client that went away is no fault": {context.Canceled, 0},
		"a refusal is no fault":               {store.ErrNotFound, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			logger := funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{Verbosity: 10})
			f := newFixture(t)
			f.memory.fail = tc.err
			r := httptest.NewRequestWithContext(klog.NewContext(t.Context(), logger), "PATCH", prefix+"agent-secrets/"+idOf(1),
				strings.NewReader(`{"currentRevision":0,"secretValue":{"op":"set","value":"canary"},"canary":"canary"}`))
			r.Header.Set("Authorization", "Bearer admin")
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			f.ServeHTTP(w, r)
			if len(lines) != tc.want {
				t.Errorf("%d lines are logged, want %d: %q", len(lines), tc.want, lines)
			}
			if out := strings.Join(lines, "") + w.Body.String(); strings.Contains(out, "canary") {
				t.Errorf("the value shows in %s", out)
			}
		})
	}
}

func TestUnauthenticatedTellsNoReason(t *testing.T) {
	w := httptest.NewRecorder()
	Unauthenticated(w, "canary: the token expired")
	want := `{"code":"AUTH_UNAUTHORIZED","error":"Could not authenticate user using token"}` + "\n"
	if w.Code != 401 || w.Body.String() != want {
		t.Errorf("got %d %s, want 401 %s", w.Code, w.Body, want)
	}
}

func TestAnAnswerThatCannotBeEncodedIsAFault(t *testing.T) {
	w := httptest.NewRecorder()
	writeJSON(w, 200, func() {})
	if want := `{"code":"INTERNAL_UNKNOWN","error":"Internal error"}` + "\n"; w.Code != 500 || w.Body.String() != want {
		t.Errorf("got %d %s, want 500 %s", w.Code, w.Body, want)
	}
}
