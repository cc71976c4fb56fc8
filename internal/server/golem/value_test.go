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
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/klog/v2"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/server/store"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

func TestWhoIsShownTheValue(t *testing.T) {
	const (
		create = `{"path":["n"],"secretType":{"type":"Str"},"secretValue":"canary7f3a"}`
		unset  = `{"currentRevision":0,"secretValue":{"op":"unset"}}`
		set    = `{"currentRevision":0,"secretValue":{"op":"set","value":"canary7f3a"}}`
	)
	one := prefix + "agent-secrets/" + idOf(1)
	for name, tc := range map[string]struct {
		method, path, body string
		stored             string // "" for no value yet
		asked              string // the last question, if it is about the value
		shown              bool   // to who has the right
		opened             int    // for who has it
	}{
		"a list":                     {"GET", secretsPath, "", `"canary7f3a"`, "value", true, 1},
		"a list without any value":   {"GET", secretsPath, "", "", "list", false, 0},
		"a read":                     {"GET", one, "", `"canary7f3a"`, "value/asec-1", true, 1},
		"a read without a value":     {"GET", one, "", "", "get/asec-1", false, 0},
		"a creation":                 {"POST", secretsPath, create, "", "value", true, 0},
		"a creation without a value": {"POST", secretsPath, `{"path":["n"],"secretType":{"type":"Str"}}`, `"canary7f3a"`, "create", false, 0},
		"a change of the value":      {"PATCH", one, set, `"old"`, "value/asec-1", true, 0},
		"a change that keeps it":     {"PATCH", one, `{"currentRevision":0}`, `"canary7f3a"`, "value/asec-1", true, 1},
		"a change that removes it":   {"PATCH", one, unset, `"canary7f3a"`, "patch/asec-1", false, 0},
		"a deletion":                 {"DELETE", deletionOf(one) + "?current_revision=0", "", `"canary7f3a"`, "value/asec-1", true, 1},
	} {
		for _, caller := range []string{"admin", "editor", "limited"} {
			t.Run(name+" by "+caller, func(t *testing.T) {
				f := newFixture(t)
				// The value's right to one object alone, and all else.
				f.people.rights["limited"] = append([]string{"value/asec-1"}, f.people.rights["editor"]...)
				f.given(t, `["k"]`, stringType, tc.stored)
				var logged []string
				logger := funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{Verbosity: 10})
				r := httptest.NewRequestWithContext(klog.NewContext(t.Context(), logger), tc.method, tc.path, strings.NewReader(tc.body))
				r.Header.Set("Authorization", "Bearer "+caller)
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				f.ServeHTTP(w, r)
				if w.Code != 200 {
					t.Fatalf("got %d %s", w.Code, w.Body)
				}
				mayReveal := caller == "admin" || caller == "limited" && strings.HasPrefix(tc.asked, "value/")
				if shown := strings.Contains(w.Body.String(), "canary7f3a"); shown != (tc.shown && mayReveal) {
					t.Errorf("the value is shown: %v, want %v: %s", shown, tc.shown && mayReveal, w.Body)
				}
				if null := strings.Contains(w.Body.String(), `"secretValue":null`); null == (tc.shown && mayReveal) {
					t.Errorf("null is answered: %v: %s", null, w.Body)
				}
				if asked := f.people.asked[len(f.people.asked)-1]; asked != tc.asked {
					t.Errorf("last asked %q, want %q", asked, tc.asked)
				}
				if want := map[bool]int{true: tc.opened}[mayReveal]; f.memory.opened != want {
					t.Errorf("%d values were opened, want %d", f.memory.opened, want)
				}
				if out := strings.Join(logged, ""); strings.Contains(out, "canary7f3a") {
					t.Errorf("a value is logged: %s", out)
				}
			})
		}
	}
}

func TestAListAsksOnceForAllValues(t *testing.T) {
	f := newFixture(t)
	for i := range 5 {
		f.given(t, fmt.Sprintf(`["k%d"]`, i), stringType, `"v"`)
	}
	for _, caller := range []string{"admin", "editor"} {
		f.people.asked = nil
		f.as(t, caller, "GET", secretsPath, "")
		if diff := cmp.Diff([]string{"list", "value"}, f.people.asked); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
	}
}

func TestARefusalShowsNoStoredValue(t *testing.T) {
	one := prefix + "agent-secrets/" + idOf(1)
	for name, tc := range map[string]struct{ method, path, body string }{
		"another revision":       {"PATCH", one, `{"currentRevision":7}`},
		"another type":           {"PATCH", one, `{"currentRevision":0,"secretValue":{"op":"set","value":7}}`},
		"a value over the limit": {"PATCH", one, `{"currentRevision":0,"secretValue":{"op":"set","value":"` + strings.Repeat("v", 70000) + `"}}`},
		"a taken path":           {"POST", secretsPath, `{"path":["k"],"secretType":{"type":"Str"}}`},
		"another revision of it": {"DELETE", deletionOf(one) + "?current_revision=7", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.given(t, `["k"]`, stringType, `"canary7f3a"`)
			got := f.as(t, "admin", tc.method, tc.path, tc.body)
			if got.Code < 400 || strings.Contains(got.Body.String(), "canary7f3a") {
				t.Errorf("got %d %s, want a refusal without the value", got.Code, got.Body)
			}
			if f.memory.opened > 0 {
				t.Error("the value was opened for a refusal")
			}
		})
	}
}

// put stores a value as it is, past the checks of a write.
func (f *fixture) put(t *testing.T, typ, value string) string {
	t.Helper()
	path := f.given(t, `["k"]`, typ, "")
	f.memory.byID[idOf(1)].Spec.SealedValue = f.memory.seal(seal.ValueOf(value))
	return path
}

func TestAStoredValueIsPrintedAgain(t *testing.T) {
	const largest = "3.4028234663852886e+38"
	f := newFixture(t)
	path := f.put(t, `{"type":"F32"}`, largest)
	got := f.as(t, "admin", "GET", path, "")
	if got.Code != 200 || !strings.Contains(got.Body.String(), `"secretValue":`+largest+"}") {
		t.Errorf("got %d %s, want the largest F32, which a write would refuse", got.Code, got.Body)
	}
}

func TestAValueThatCannotBeToldIsNeverNull(t *testing.T) {
	keep := `{"currentRevision":0}`
	for name, tc := range map[string]struct {
		method, body string
		list         bool
		status       int
		want         string
	}{
		"a read says so":                        {"GET", "", false, 503, `{"code":"SERVICE_UNAVAILABLE","error":"What is stored cannot be read: the status of the AgentSecret says why"}`},
		"a list says so":                        {"GET", "", true, 503, `{"code":"SERVICE_UNAVAILABLE","error":"What is stored cannot be read: the status of the AgentSecret says why"}`},
		"a change that keeps it says so":        {"PATCH", keep, false, 503, `{"code":"SERVICE_UNAVAILABLE","error":"What is stored cannot be read: the status of the AgentSecret says why"}`},
		"a change that replaces it repairs":     {"PATCH", `{"currentRevision":0,"secretValue":{"op":"set","value":7}}`, false, 200, `"secretValue":7}`},
		"a change that removes it repairs":      {"PATCH", `{"currentRevision":0,"secretValue":{"op":"unset"}}`, false, 200, `"secretValue":null}`},
		"a deletion succeeds and cannot say it": {"DELETE", "", false, 200, `"revision":1,"secretType":{"type":"U8"},"secretValue":null}`},
	} {
		for kind, stuck := range map[string]error{
			"that does not open": errors.New("sealed with a key that is gone"),
			"of another type":    nil,
		} {
			t.Run(name+" for a value "+kind, func(t *testing.T) {
				f := newFixture(t)
				path := f.put(t, `{"type":"U8"}`, `"canary7f3a"`)
				f.memory.stuck = stuck
				switch {
				case tc.list:
					path = secretsPath
				case tc.method == "DELETE":
					path = deletionOf(path) + "?current_revision=0"
				}
				var logged []string
				logger := funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{Verbosity: 10})
				r := httptest.NewRequestWithContext(klog.NewContext(t.Context(), logger), tc.method, path, strings.NewReader(tc.body))
				r.Header.Set("Authorization", "Bearer admin")
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				f.ServeHTTP(w, r)
				if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) {
					t.Errorf("got %d %s, want %d with %s", w.Code, w.Body, tc.status, tc.want)
				}
				if tc.status == 503 && f.memory.writes != 0 {
					t.Errorf("%d writes, want none: an error changes nothing", f.memory.writes)
				}
				failed := tc.status == 503 || tc.method == "DELETE"
				if out := strings.Join(logged, "\n"); failed != strings.Contains(out, "e-first") || failed != strings.Contains(out, "asec-1") {
					t.Errorf("logged %q, want the object named: %v", out, failed)
				}
				if out := strings.Join(logged, "") + w.Body.String(); strings.Contains(out, "canary7f3a") {
					t.Errorf("the value shows in %s", out)
				}
			})
		}
	}
}

func TestLargeValuesWaitForTheirTurn(t *testing.T) {
	f := newFixture(t)
	for range maxChecking {
		f.golem.checking <- struct{}{}
	}
	send := func(ctx context.Context, size int) int {
		ctx = request.WithUser(ctx, &user.DefaultInfo{Name: "admin"})
		body := `{"path":["k` + fmt.Sprint(size) + `"],"secretType":{"type":"Str"},"secretValue":"` + strings.Repeat(`\u0076`, size) + `"}`
		r := httptest.NewRequestWithContext(ctx, "POST", secretsPath, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		f.golem.ServeHTTP(w, r)
		return w.Code
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if got := send(gone, 60000); got != 503 || f.memory.writes != 0 {
		t.Errorf("status %d while others are checked, want 503", got)
	}
	if got := send(t.Context(), 100); got != 200 {
		t.Errorf("status %d of a small value, want 200", got)
	}
	<-f.golem.checking
	if got := send(t.Context(), 60000); got != 200 {
		t.Errorf("status %d with a free place, want 200", got)
	}
	if len(f.golem.checking) != maxChecking-1 {
		t.Error("the place is not given back")
	}
}

// racing is a store where another replica is faster than every read.
type racing struct{ *memory }

func (r racing) Get(ctx context.Context, id string) (*v1alpha1.AgentSecret, error) {
	s, err := r.memory.Get(ctx, id)
	if err == nil {
		newer := seal.ValueOf(`"newer"`)
		_, err = r.Update(ctx, s, s.Spec.Revision, store.AgentChange{Set: &newer})
	}
	return s, err
}

func TestARaceNeverMixesRevisionAndValue(t *testing.T) {
	for name, tc := range map[string]struct {
		method, body string
		status       int
		want         string
	}{
		"a read answers what was read":             {"GET", "", 200, `"revision":0,"secretType":{"type":"Str"},"secretValue":"older"}`},
		"an update of the older one is refused":    {"PATCH", `{"currentRevision":0}`, 409, `Concurrent update attempt`},
		"an update of the newer one keeps its own": {"PATCH", `{"currentRevision":1}`, 200, `"revision":2,"secretType":{"type":"Str"},"secretValue":"newer"}`},
		"a deletion of the newer one answers it":   {"DELETE", "", 200, `"revision":2,"secretType":{"type":"Str"},"secretValue":"newer"}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			path := f.given(t, `["k"]`, stringType, `"older"`)
			f.serve(prefix, racing{f.memory})
			if tc.method == "DELETE" {
				path = deletionOf(path) + "?current_revision=1"
			}
			got := f.as(t, "admin", tc.method, path, tc.body)
			if got.Code != tc.status || !strings.Contains(got.Body.String(), tc.want) {
				t.Errorf("got %d %s, want %d with %s", got.Code, got.Body, tc.status, tc.want)
			}
		})
	}
}

// Errors of a mismatch must not become a 400 where it is the stored value that
// is wrong, whatever wraps them.
func TestAStoredMismatchIsNoMistakeOfTheCaller(t *testing.T) {
	c := &call{target: target{oneSecret, unknownID}}
	status, _ := answer(c, fmt.Errorf("printing: %w", &typedvalue.MismatchError{Problems: []string{"p"}}))
	if status != 500 {
		t.Errorf("status = %d, want 500", status)
	}
	if status, _ := answer(c, fmt.Errorf("x: %w", store.ErrNotFound)); status != 404 {
		t.Errorf("status = %d, want 404", status)
	}
}
