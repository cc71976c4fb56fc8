// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/server/apiserver/openapi"
	"github.com/latchkey-dev/latchkey/internal/server/coder"
	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/golem"
)

// failing are directories that fail: a request that is routed ends there, or before,
// but never with 404 or 405.
type (
	failingUsers        struct{}
	failingEnvironments struct{ golem.Directory }
)

var errRouted = errors.New("routed")

func (failingUsers) Refresh(context.Context) error { return nil }

func (failingUsers) User(context.Context, string, string) (directory.Tenant, error) {
	return directory.Tenant{}, errRouted
}

func (failingEnvironments) Environment(context.Context, string) (directory.Tenant, error) {
	return directory.Tenant{}, errRouted
}

type failingAgentSecrets struct{ golem.Secrets }

func (failingAgentSecrets) Get(context.Context, string) (*v1alpha1.AgentSecret, error) {
	return nil, errRouted
}

// dialects is a server with the real routes.
func dialects(t *testing.T) http.Handler {
	t.Helper()
	s := newSetup(teapot)
	users := func(root, prefix string) http.Handler {
		return coder.New(coder.Config{Root: root, Prefix: prefix, Directory: failingUsers{}})
	}
	environments := func(prefix string) http.Handler {
		return golem.New(golem.Config{Prefix: prefix, Directory: failingEnvironments{}, Secrets: failingAgentSecrets{}})
	}
	s.deps.CoderDirect, s.deps.CoderAggregated = users(CoderRoot, CoderDirect), users("", CoderAggregated)
	s.deps.GolemDirect, s.deps.GolemAggregated = environments(GolemDirect), environments(GolemAggregated)
	return s.server(t).Handler()
}

func documented(t *testing.T) map[string][]string {
	t.Helper()
	document, err := openapi.Version2(apis()...)
	if err != nil {
		t.Fatal(err)
	}
	routes := map[string][]string{}
	for path, item := range document.Paths.Paths {
		for method, op := range map[string]*spec.Operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPatch: item.Patch,
			http.MethodDelete: item.Delete, http.MethodPut: item.Put, http.MethodHead: item.Head, http.MethodOptions: item.Options,
		} {
			if op != nil {
				routes[path] = append(routes[path], method)
			}
		}
	}
	return routes
}

// matches reports whether a path is one of a documented template.
func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if !strings.HasPrefix(want[i], "{") && want[i] != got[i] {
			return false
		}
	}
	return true
}

// Every path that can be made of up to three of these segments is tried
// with every method: what is routed must be documented and the other way round.
func TestTheDocumentsSayWhatIsServed(t *testing.T) {
	const id = "2b7e1516-28ae-4d2a-abf7-158809cf4f3c"
	segments := []string{"me", id, "secrets", "batch", "envs", "agent-secrets", "agent-secret", "other"}
	beside := []string{"users", "me", "first", "keys", "logout", "buildinfo", "deployment", "user-secrets", "capabilities", "other"}
	methods := []string{"DELETE", "GET", "PATCH", "POST", "PUT"}
	handler, routes := dialects(t), documented(t)
	tried := map[string]bool{}
	for _, prefix := range []string{CoderRoot, CoderDirect, CoderAggregated, GolemDirect, GolemAggregated} {
		segments := segments
		if prefix == CoderRoot {
			segments = beside
		}
		paths := []string{}
		level := []string{prefix}
		for range 3 {
			var next []string
			for _, path := range level {
				for _, segment := range segments {
					next = append(next, strings.TrimSuffix(path, "/")+"/"+segment)
				}
			}
			paths, level = append(paths, next...), next
		}
		for _, path := range paths {
			var want []string
			for template, documented := range routes {
				if matches(template, path) {
					tried[template] = true
					want = append(want, documented...)
				}
			}
			slices.Sort(want)
			want = slices.Compact(want)
			var got []string
			for _, method := range methods {
				switch do(t, handler, method, path, "good").Code {
				case http.StatusNotFound, http.StatusMethodNotAllowed:
				default:
					got = append(got, method)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("methods of %s (-documented +served):\n%s", path, diff)
			}
		}
	}
	for template := range routes {
		if !tried[template] {
			t.Errorf("%s is documented and was not tried", template)
		}
	}
	if len(routes) != 18 {
		t.Errorf("%d paths are documented, want 6 on each face and 6 on one", len(routes))
	}
}

func TestTheDocumentsAreServedInEveryForm(t *testing.T) {
	handler := dialects(t)
	for name, tc := range map[string]struct{ path, accept, want string }{
		"version 2 in JSON":         {"/openapi/v2", "application/json", `"swagger":"2.0"`},
		"version 2 in protobuf":     {"/openapi/v2", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf", "2.0"},
		"the index of version 3":    {"/openapi/v3", "application/json", `"apis/golem.latchkey.dev/v1":{"serverRelativeURL":"/openapi/v3/apis/golem.latchkey.dev/v1?hash=`},
		"the coder API in JSON":     {"/openapi/v3/apis/coder.latchkey.dev/v2", "application/json", `"/apis/coder.latchkey.dev/v2/users/{user}/secrets/{name}"`},
		"the golem API in JSON":     {"/openapi/v3/apis/golem.latchkey.dev/v1", "application/json", `"discriminator":{"mapping":{"Bool":"#/components/schemas/dev.latchkey.golem.v1.TypeBool"`},
		"the golem API in protobuf": {"/openapi/v3/apis/golem.latchkey.dev/v1", "application/com.github.proto-openapi.spec.v3.v1.0+protobuf", "3.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tc.path, nil)
			r.Header.Set("Authorization", "Bearer good")
			r.Header.Set("Accept", tc.accept)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), tc.want) {
				t.Errorf("got %d %.200q, want %q", w.Code, w.Body, tc.want)
			}
		})
	}
}
