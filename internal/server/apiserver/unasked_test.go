// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/latchkey-dev/latchkey/internal/server/requests"
)

func TestCouldNotAsk(t *testing.T) {
	refused := &url.Error{Op: "Post", URL: "https://cluster", Err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}}
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"nothing failed":                              {nil, false},
		"the cluster says no":                         {errors.New("invalid bearer token"), false},
		"several authenticators say no":               {utilerrors.NewAggregate([]error{errors.New("x509: unknown authority"), errors.New("invalid bearer token")}), false},
		"nobody answers":                              {refused, true},
		"nobody answers one of several":               {utilerrors.NewAggregate([]error{errors.New("invalid"), fmt.Errorf("x: %w", refused)}), true},
		"the cluster is broken":                       {apierrors.NewInternalError(errors.New("x")), true},
		"the cluster does not take us for who we are": {apierrors.NewUnauthorized("x"), true},
		"we lack the right to ask":                    {apierrors.NewForbidden(schema.GroupResource{Resource: "tokenreviews"}, "", errors.New("x")), true},
		"it takes too long":                           {context.DeadlineExceeded, true},
	} {
		if got := couldNotAsk(tc.err); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
}

func TestChain_ClusterCannotBeAsked_Answers503(t *testing.T) {
	away := apierrors.NewServiceUnavailable("canary")
	s := newSetup(teapot)
	c, err := s.options.config(s.deps)
	if err != nil {
		t.Fatal(err)
	}
	c.generic.Authentication.Authenticator = authenticator.RequestFunc(func(r *http.Request) (*authenticator.Response, bool, error) {
		switch r.Header.Get("Authorization") {
		case "Bearer new":
			return nil, false, utilerrors.NewAggregate([]error{away})
		case "Bearer many":
			return nil, false, requests.ErrTooMany
		}
		return authenticate(r)
	})
	c.generic.Authorization.Authorizer = authorizer.AuthorizerFunc(pathAuthorizer{cluster: authorizer.AuthorizerFunc(
		func(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
			return authorizer.DecisionNoOpinion, "", away
		})}.Authorize)
	server, err := c.complete().server()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		target, token string
		status        int
		want          string
	}{
		"who the caller is, coder":  {"/api/v2/users/me/secrets", "new", 503, `{"message":"The cluster cannot be asked who you are at the moment. Please try again."}`},
		"who the caller is, golem":  {GolemAggregated + "agent-secrets/x", "new", 503, `{"code":"SERVICE_UNAVAILABLE","error":"The cluster cannot be asked who you are at the moment, try again"}`},
		"who the caller is, others": {"/apis", "new", 503, `"code":503`},
		"what the caller may do":    {"/nothing", "good", 503, `"code":503`},
		"too many ask":              {"/api/v2/users/me/secrets", "many", 429, `{"message":"Too many requests at the moment. Please try again."}`},
		"a bad token":               {"/api/v2/users/me/secrets", "bad", 401, `{"message":"You are signed out`},
	} {
		got := do(t, server.Handler(), "GET", tc.target, tc.token)
		if got.Code != tc.status || !strings.Contains(text(got), tc.want) || strings.Contains(text(got), "canary") {
			t.Errorf("%s: %d %s, want %d %s", name, got.Code, text(got), tc.status, tc.want)
		}
		if retry := got.Header().Get("Retry-After") != ""; retry != (tc.status != 401) {
			t.Errorf("%s: Retry-After is set: %t", name, retry)
		}
	}
}

func TestAddressOf(t *testing.T) {
	for remote, want := range map[string]string{"10.0.0.7:1234": "10.0.0.7", "[::1]:1": "::1", "pipe": "pipe"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = remote
		if got := addressOf(r); got != want {
			t.Errorf("addressOf(%s) = %s, want %s", remote, got, want)
		}
	}
}
