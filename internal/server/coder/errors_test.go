// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

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
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

func TestStoreErrorsBecomeAnswers(t *testing.T) {
	const (
		internal    = `{"message":"An internal server error occurred."}`
		unavailable = `{"message":"The service is not available at the moment. Please try again."}`
		tooMany     = `{"message":"User secrets limit reached.","detail":"Each user can have at most 7 secrets."}`
	)
	count := &limits.Excess{Kind: limits.Count, Max: 7, Would: 8}
	taken := &store.ConflictError{Conflicts: []store.Conflict{{Claim: v1alpha1.ClaimEnv}}}
	for name, tc := range map[string]struct {
		err    error
		bulk   bool
		status int
		want   string
	}{
		"an unknown secret": {
			err: fmt.Errorf("x: %w", store.ErrNotFound), status: 404, want: strings.TrimSpace(noAccess),
		},
		"a source that is not the caller's": {
			err: fmt.Errorf("x: %w", store.ErrSource), status: 403,
			want: `{"message":"Forbidden.","detail":"The value of this secret comes from a Kubernetes Secret that you may not get, ` +
				`so you can neither turn it on nor give it another target. Set a value instead, or ask for that right."}`,
		},
		"too many secrets": {err: count, status: 400, want: tooMany},
		"too many bytes": {
			err: &limits.Excess{Kind: limits.ValueBytes, Max: 204800, Would: 204801}, status: 400,
			want: `{"message":"User secrets value-bytes limit reached.","detail":"All values together would take 204801 bytes ` +
				`and exceed the per-user budget (204800 bytes). Delete or shorten secrets to make room."}`,
		},
		"too many bytes for the environment": {
			err: &limits.Excess{Kind: limits.EnvValueBytes, Max: 24576, Would: 24577}, status: 400,
			want: `{"message":"Environment-injected user secrets bytes limit reached.","detail":"Values delivered as ` +
				`environment variables would take 24577 bytes and exceed the per-user budget (24576 bytes over all secrets ` +
				`with an env_name). To deliver a large value as a file instead, clear its env_name and set a file_path."}`,
		},
		"a conflict": {
			err: taken, status: 409, want: `{"message":"Validation failed.",` +
				`"validations":[{"field":"env_name","detail":"environment variable already in use"}]}`,
		},
		"all three conflicts": {
			err: &store.ConflictError{Conflicts: []store.Conflict{
				{Claim: v1alpha1.ClaimName}, {Claim: v1alpha1.ClaimEnv}, {Claim: v1alpha1.ClaimFile},
			}},
			status: 409, want: `{"message":"Validation failed.","validations":[{"field":"name","detail":"name already in use"},` +
				`{"field":"env_name","detail":"environment variable already in use"},` +
				`{"field":"file_path","detail":"file path already in use"}]}`,
		},
		"a conflict of an entry": {
			err: &store.ConflictError{Conflicts: []store.Conflict{{Index: 3, Claim: v1alpha1.ClaimName}}}, bulk: true,
			status: 409, want: `{"message":"Validation failed.",` +
				`"validations":[{"field":"secrets[3].name","detail":"name already in use"}]}`,
		},
		"the limit is told before the conflict":             {err: errors.Join(taken, count), status: 400, want: tooMany},
		"the import tells a limit where there is just that": {err: count, bulk: true, status: 400, want: tooMany},
		"the import tells the conflict before the limit": {
			err: errors.Join(count, taken), bulk: true, status: 409, want: `{"message":"Validation failed.",` +
				`"validations":[{"field":"secrets[0].env_name","detail":"environment variable already in use"}]}`,
		},
		"a store that is not available":                {err: fmt.Errorf("x: %w", store.ErrUnavailable), status: 503, want: unavailable},
		"a deadline":                                   {err: context.DeadlineExceeded, status: 503, want: unavailable},
		"a revision, which this dialect does not know": {err: store.ErrRevision, status: 500, want: internal},
		"anything else without its text":               {err: errors.New("canary"), status: 500, want: internal},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.memory.fail = tc.err
			path, body := "", `{"name":"n","value":"v"}`
			if tc.bulk {
				path, body = "/batch", `{"format":"env","content":"A=1"}`
			}
			got := f.send(t, "POST", "me", path, body, "", nil)
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

func TestAnUndecidedAuthorisationIsNoPermission(t *testing.T) {
	f := newFixture(t)
	f.people.fail = errors.New("no answer")
	if got := f.as(t, "admin", "GET", prefix+"bob/secrets", ""); got.Code != 500 || f.memory.touched != 0 {
		t.Errorf("status %d with %d calls of the store, want 500 with none", got.Code, f.memory.touched)
	}
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
			r := httptest.NewRequest("PATCH", prefix+"me/secrets/n", strings.NewReader(`{"value":"canary","bogus":"canary"}`))
			r.Header.Set("Coder-Session-Token", "alice")
			w := httptest.NewRecorder()
			f.ServeHTTP(w, r.WithContext(klog.NewContext(r.Context(), logger)))
			if len(lines) != tc.want {
				t.Errorf("%d lines are logged, want %d: %q", len(lines), tc.want, lines)
			}
			if out := strings.Join(lines, "") + w.Body.String(); strings.Contains(out, "canary") {
				t.Errorf("the value shows in %s", out)
			}
		})
	}
}

func TestAnAnswerThatCannotBeEncodedIsAFault(t *testing.T) {
	w := httptest.NewRecorder()
	writeJSON(w, 200, func() {})
	if want := `{"message":"An internal server error occurred."}` + "\n"; w.Code != 500 || w.Body.String() != want {
		t.Errorf("got %d %s, want 500 %s", w.Code, w.Body, want)
	}
}
