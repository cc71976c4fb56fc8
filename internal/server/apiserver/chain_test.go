// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"
)

func TestAnswersOfTheChain(t *testing.T) {
	const (
		coderUnknown  = `{"message":"You are signed out or your session has expired. Please sign in again to continue."`
		routeNotFound = `{"message":"Route not found."}`
		golemUnknown  = `{"code":"AUTH_UNAUTHORIZED","error":"Could not authenticate user using token"}`
	)
	handler := newSetup(teapot).server(t).Handler()
	for name, tc := range map[string]struct {
		method, target, token string
		wantStatus            int
		want                  string // a part of the body
	}{
		"no credentials, coder":                   {"GET", "/api/v2/users/me/secrets", "", 401, coderUnknown},
		"no credentials, coder aggregated":        {"GET", CoderAggregated + "me/secrets", "", 401, coderUnknown},
		"bad credentials, coder":                  {"GET", "/api/v2/users/me/secrets", "bad", 401, coderUnknown},
		"bad credentials, golem":                  {"GET", "/v1/envs/x/agent-secrets", "bad", 401, golemUnknown},
		"no credentials, golem aggregated":        {"GET", GolemAggregated + "agent-secrets/x", "", 401, golemUnknown},
		"no credentials, elsewhere":               {"GET", "/apis", "", 401, `"kind":"Status"`},
		"credentials, coder":                      {"GET", "/api/v2/users/me/secrets", "good", 418, ""},
		"credentials, golem aggregated":           {"DELETE", GolemAggregated + "agent-secret/x", "good", 418, ""},
		"credentials in the query":                {"GET", "/api/v2/users/me/secrets?coder_session_token=good", "", 418, ""},
		"empty segments are not dropped":          {"GET", "/api/v2/users/me//secrets", "good", 404, routeNotFound},
		"dot segments are not resolved":           {"GET", "/api/v2/users/me/../secrets", "good", 404, routeNotFound},
		"dot segments do not lead elsewhere":      {"GET", "/api/v2/../../v1/x", "good", 404, routeNotFound},
		"empty segments reach the other faces":    {"GET", CoderAggregated + "me//secrets", "good", 418, ""},
		"a trailing slash reaches the dialect":    {"GET", "/v1/", "good", 418, ""},
		"an escaped slash reaches the dialect":    {"GET", "/api/v2/users/me/secrets/a%2Fb", "good", 418, ""},
		"every method reaches the dialect":        {"PUT", "/api/v2/users/me/secrets", "good", 418, ""},
		"a watch is nothing special":              {"GET", CoderAggregated + "me/secrets?watch=true", "good", 418, ""},
		"a timeout is none of our parameters":     {"GET", "/api/v2/users/me/secrets?timeout=soon", "good", 418, ""},
		"an unknown path is forbidden to most":    {"GET", "/nothing", "good", 403, `"kind":"Status"`},
		"an unknown path is not found":            {"GET", "/nothing", "admin", 404, `"kind":"Status"`},
		"a resource that is none is not found":    {"GET", "/apis/coder.latchkey.dev/v2/watch", "admin", 404, `"kind":"Status"`},
		"the index is not there":                  {"GET", "/", "admin", 404, `"kind":"Status"`},
		"no redirect cleans a path":               {"GET", "//apis", "admin", 404, `"kind":"Status"`},
		"no redirect adds a slash":                {"GET", "/api/v2/users", "admin", 404, routeNotFound},
		"an unknown path of coder, anonymous":     {"GET", "/api/v2/workspaces", "", 404, routeNotFound},
		"an unknown path of coder, bad token":     {"POST", "/api/v2/x/y/z", "bad", 404, routeNotFound},
		"an unknown path of coder, any method":    {"PROPFIND", "/api/v2/users", "good", 404, routeNotFound},
		"the root of coder":                       {"GET", "/api/v2", "", 404, routeNotFound},
		"the root of coder with its slash":        {"GET", "/api/v2/", "good", 404, routeNotFound},
		"a path that only begins like coder's":    {"GET", "/api/v2x", "admin", 404, `"kind":"Status"`},
		"build info needs no credentials":         {"GET", "/api/v2/buildinfo", "", 200, `"version":"v2.36.1+latchkey"`},
		"build info with a token that ended":      {"GET", "/api/v2/buildinfo", "bad", 200, `"version":"v2.36.1+latchkey"`},
		"build info is read only":                 {"POST", "/api/v2/buildinfo", "good", 405, `{"message":"Method not allowed."}`},
		"the first user needs no credentials":     {"GET", "/api/v2/users/first", "", 200, `"message"`},
		"the caller needs credentials":            {"GET", "/api/v2/users/me", "", 401, coderUnknown},
		"a key needs credentials":                 {"POST", "/api/v2/users/me/keys", "bad", 401, coderUnknown},
		"a logout needs credentials":              {"POST", "/api/v2/users/logout", "", 401, coderUnknown},
		"capabilities need credentials":           {"GET", "/api/v2/deployment/user-secrets/capabilities", "", 401, coderUnknown},
		"the caller reaches the dialect":          {"GET", "/api/v2/users/me?coder_session_token=good", "", 418, ""},
		"build info is not there when aggregated": {"GET", "/apis/coder.latchkey.dev/v2/buildinfo", "admin", 404, `"kind":"Status"`},
		"discovery is read only":                  {"POST", "/apis/coder.latchkey.dev", "good", 405, `"kind":"Status"`},
		"the root of discovery is read only":      {"POST", "/apis", "good", 405, `"kind":"Status"`},
		"openapi is read only":                    {"DELETE", "/openapi/v2", "good", 405, `"kind":"Status"`},
		"profiles are not there":                  {"GET", "/debug/pprof/heap", "admin", 404, `"kind":"Status"`},
		"a hash of openapi that is out of date":   {"GET", "/openapi/v3/apis/coder.latchkey.dev/v2?hash=old", "good", 200, `"openapi"`},
		"a document that is not there":            {"GET", "/openapi/v3/apis/apps/v1", "good", 404, `"kind":"Status"`},
	} {
		t.Run(name, func(t *testing.T) {
			r := do(t, handler, tc.method, tc.target, tc.token)
			body := text(r)
			if r.Code != tc.wantStatus || !strings.Contains(body, tc.want) {
				t.Errorf("got %d %s, want %d %s", r.Code, body, tc.wantStatus, tc.want)
			}
			if at := r.Header().Get("Location"); at != "" {
				t.Errorf("redirected to %s", at)
			}
		})
	}
}

func TestNobodyIsImpersonated(t *testing.T) {
	handler := newSetup(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := request.UserFrom(r.Context())
		w.Header().Set("Caller", caller.GetName())
		w.WriteHeader(http.StatusOK)
	})).server(t).Handler()
	r := func(key, value string) string {
		return serveWith(t, handler, key, value).Header().Get("Caller")
	}
	for _, header := range []string{"Impersonate-User", "X-Remote-User"} {
		if got := r(header, "admin"); got != "ada" {
			t.Errorf("with %s the caller is %q", header, got)
		}
	}
}

func TestAPanicIsAnsweredAndNotTold(t *testing.T) {
	logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
	klog.SetLogger(logger)
	defer klog.ClearLogger()
	path := filepath.Join(t.TempDir(), "audit.log")
	s := newSetup(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "late") {
			w.WriteHeader(http.StatusOK)
		}
		panic("canary")
	}))
	s.options.AuditLog = AuditLog{Path: path}
	handler := s.server(t).Handler()
	for target, want := range map[string]string{
		"/api/v2/users/me/secrets":   `{"message":"An internal server error occurred."}`,
		GolemAggregated + "envs/x/y": `{"code":"INTERNAL_UNKNOWN","error":"Internal error"}`,
	} {
		r := do(t, handler, "GET", target, "good")
		if got := text(r); r.Code != http.StatusInternalServerError || got != want {
			t.Errorf("%s: %d %s, want 500 %s", target, r.Code, got, want)
		}
	}
	aborted := func() (reason any) {
		defer func() { reason = recover() }()
		do(t, handler, "GET", "/v1/late", "good")
		return nil
	}()
	if err, ok := aborted.(error); !ok || !isAbort(err) {
		t.Errorf("half an answer ended with %v, want the connection dropped", aborted)
	}
	log, ok := logger.GetSink().(ktesting.Underlier)
	if !ok {
		t.Fatal("the log cannot be read")
	}
	if got := log.GetBuffer().String(); strings.Contains(got, "canary") || !strings.Contains(got, "Handler panicked") {
		t.Errorf("log = %s", got)
	}
	if got := read(t, path); strings.Contains(got, "canary") || strings.Count(got, `"code":500`) != 3 {
		t.Errorf("audit = %s", got)
	}
}

func TestTurns_OfOneCallerTaken_RefusesTheNextAndServesOthers(t *testing.T) {
	const line = 16 // how many requests of one caller can be open, if one is served at once
	entered, leave := make(chan struct{}), make(chan struct{})
	s := newSetup(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "slow") {
			select {
			case entered <- struct{}{}:
				<-leave
			case <-leave:
			}
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	s.options.MaxRequestsInFlight, s.options.MaxMutatingRequestsInFlight, s.options.MaxRequestsPerCaller = 2, 2, 1
	handler := s.server(t).Handler()
	served, refused := make(chan int, 2*line), make(chan *httptest.ResponseRecorder, 2*line)
	for target, want := range map[string]struct{ method, body string }{
		"/api/v2/users/me/secrets/slow": {"GET", `{"message":"Too many requests at the moment. Please try again."}`},
		"/v1/slow":                      {"POST", `{"code":"TOO_MANY_REQUESTS","error":"Too many requests at the moment"}`},
	} {
		for i := range line + 1 {
			go func() {
				if r := do(t, handler, want.method, target, "good"); r.Code == http.StatusTooManyRequests {
					refused <- r
				} else {
					served <- r.Code
				}
			}()
			if i == 0 {
				<-entered
			}
		}
		if r := <-refused; text(r) != want.body || r.Header().Get("Retry-After") == "" {
			t.Errorf("%s %s: %s, want %s", want.method, target, text(r), want.body)
		}
		if got := do(t, handler, want.method, "/v1/x", "admin").Code; got != http.StatusTeapot {
			t.Errorf("a %s of another caller: %d", want.method, got)
		}
	}
	if got := do(t, handler, "GET", "/livez", "").Code; got != http.StatusOK {
		t.Errorf("a probe while busy: %d", got)
	}
	close(leave)
	for range 2 * line {
		if got := <-served; got != http.StatusTeapot {
			t.Errorf("who waited got %d", got)
		}
	}
	if got := do(t, handler, "GET", "/v1/x", "good").Code; got != http.StatusTeapot {
		t.Errorf("afterwards: %d", got)
	}
}

func TestAuditTellsWhoAndWhatButNoCredentials(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "audit.log")
	s := newSetup(teapot)
	s.options.AuditLog.Path = path
	handler := s.server(t).Handler()
	do(t, handler, "GET", "/api/v2/users/me/secrets?coder_session_token=good&a=1", "")
	do(t, handler, "GET", "/api/v2/users/me/secrets/x?coder_session_token=canary", "")
	do(t, handler, "GET", "/livez", "")
	do(t, handler, "GET", "/apis", "good")
	got := strings.Split(strings.TrimSpace(read(t, path)), "\n")
	if len(got) != 2 {
		t.Fatalf("%d records, want 2: %s", len(got), got)
	}
	for i, want := range []string{
		`"requestURI":"/api/v2/users/me/secrets?a=1","verb":"get","user":{"username":"ada"`,
		`"requestURI":"/api/v2/users/me/secrets/x","verb":"get"`,
	} {
		if !strings.Contains(got[i], want) || strings.Contains(got[i], "canary") || strings.Contains(got[i], "session_token") {
			t.Errorf("record %d = %s, want %s", i, got[i], want)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
}

func serveWith(t *testing.T, handler http.Handler, key, value string) *httptest.ResponseRecorder {
	t.Helper()
	return do(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set(key, value)
		handler.ServeHTTP(w, r)
	}), "GET", "/v1/x", "good")
}

func read(t *testing.T, path string) string {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
