// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/latchkey-dev/latchkey/internal/certs"
)

// setup is a server whose cluster is made up: the token "good" is ada's, "admin" is
// an administrator's, everything else is nobody's.
type setup struct {
	options Options
	deps    Deps
}

func newSetup(handler http.Handler) *setup {
	o := NewOptions()
	o.AuditLog.Path = "" // it would be the test's own output
	return &setup{options: o, deps: Deps{
		Certificate: &certs.Provider{},
		CoderDirect: handler, CoderAggregated: handler, GolemDirect: handler, GolemAggregated: handler,
	}}
}

// server is the finished server, all but a port and a cluster.
func (s *setup) server(t *testing.T) *Server {
	t.Helper()
	c, err := s.options.config(s.deps)
	if err != nil {
		t.Fatal(err)
	}
	c.generic.Authentication.Authenticator = authenticator.RequestFunc(authenticate)
	c.generic.Authorization.Authorizer = authorizer.AuthorizerFunc(pathAuthorizer{cluster: authorizer.AuthorizerFunc(decide)}.Authorize)
	server, err := c.complete().server()
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func authenticate(r *http.Request) (*authenticator.Response, bool, error) {
	known := map[string]string{"Bearer good": "ada", "Bearer admin": "admin"}
	name, ok := known[r.Header.Get("Authorization")]
	switch {
	case ok:
		return &authenticator.Response{User: &user.DefaultInfo{Name: name, Groups: []string{user.AllAuthenticated}}}, true, nil
	case isProbe(r.URL.Path):
		return &authenticator.Response{User: &user.DefaultInfo{Name: user.Anonymous, Groups: []string{user.AllUnauthenticated}}}, true, nil
	case r.Header.Get("Authorization") != "":
		return nil, false, errors.New("invalid bearer token")
	}
	return nil, false, nil
}

func decide(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if a.GetUser().GetName() == "admin" {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

// do sends one request as whom the token belongs to, "" for none.
func do(t *testing.T, handler http.Handler, method, target, token string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func text(w *httptest.ResponseRecorder) string { return strings.TrimSpace(w.Body.String()) }

var teapot = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })

func TestReadinessTellsTheTruth(t *testing.T) {
	s := newSetup(teapot)
	var failure error
	s.deps.Checks = map[string]func() error{"keys": func() error { return failure }}
	handler := s.server(t).Handler()
	if got := do(t, handler, "GET", "/readyz", "").Code; got != http.StatusOK {
		t.Errorf("ready: %d", got)
	}
	failure = errors.New("no key")
	if got := do(t, handler, "GET", "/readyz", "").Code; got != http.StatusInternalServerError {
		t.Errorf("not ready: %d", got)
	}
	for _, path := range []string{"/livez", "/healthz"} {
		if got := do(t, handler, "GET", path, "").Code; got != http.StatusOK {
			t.Errorf("%s while not ready: %d", path, got)
		}
	}
	if got := do(t, handler, "GET", "/apis/coder.latchkey.dev/v2", "good").Code; got != http.StatusOK {
		t.Errorf("discovery while not ready: %d", got)
	}
}

func TestRunEndsWhenItIsToldToBeforeThereIsACertificate(t *testing.T) {
	server := newSetup(teapot).server(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Run(ctx); err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Options)
		want   string // "" for no error
	}{
		"the defaults are fine":       {func(*Options) {}, ""},
		"a host is fine":              {func(o *Options) { o.BindAddress = "[::1]:8443" }, ""},
		"a port is needed":            {func(o *Options) { o.BindAddress = "localhost" }, "--secure-bind-address"},
		"port 0 is none":              {func(o *Options) { o.BindAddress = ":0" }, "--secure-bind-address"},
		"sizes are not negative":      {func(o *Options) { o.AuditLog.MaxSize = -1 }, "--audit-log-maxsize"},
		"limits are not negative":     {func(o *Options) { o.MaxRequestsInFlight = -1 }, "--max-requests-in-flight"},
		"a request needs some time":   {func(o *Options) { o.RequestTimeout = headroom }, "--request-timeout"},
		"the delay is not negative":   {func(o *Options) { o.ShutdownDelay = -1 }, "--shutdown-delay"},
		"all that is wrong is listed": {func(o *Options) { o.BindAddress, o.ShutdownDelay = "", -1 }, "--shutdown-delay"},
	} {
		t.Run(name, func(t *testing.T) {
			o := NewOptions()
			tc.change(&o)
			err := o.Validate()
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Validate() = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestNewOptions_AuditLog_IsOn(t *testing.T) {
	if got := NewOptions().AuditLog.Path; got != "-" {
		t.Errorf("the audit log goes to %q by default, want standard output", got)
	}
}
