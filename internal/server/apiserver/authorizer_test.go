// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
)

func TestPathAuthorizer_EachCaller_ReachesWhatIsOpenToThem(t *testing.T) {
	known := &user.DefaultInfo{Name: "ada", Groups: []string{"system:authenticated"}}
	anonymous := &user.DefaultInfo{Name: "system:anonymous", Groups: []string{"system:unauthenticated"}}
	const allow, deny = authorizer.DecisionAllow, authorizer.DecisionDeny
	for name, tc := range map[string]struct {
		method, path string
		caller       user.Info
		want         authorizer.Decision
		wantAsked    string // of the cluster: verb and path
	}{
		"probes are open to all":                        {"GET", "/readyz", anonymous, allow, ""},
		"parts of probes are not":                       {"GET", "/readyz/keys", anonymous, deny, ""},
		"dialects are closed to the unauthenticated":    {"GET", "/api/v2/users/me/secrets", anonymous, deny, ""},
		"discovery is closed to the unauthenticated":    {"GET", "/apis", anonymous, deny, ""},
		"everything is closed to nobody":                {"GET", "/apis", nil, deny, ""},
		"the coder dialect is open":                     {"POST", "/api/v2/users/me/secrets", known, allow, ""},
		"the coder dialect is open when aggregated":     {"DELETE", "/apis/coder.latchkey.dev/v2/users/me/secrets/a", known, allow, ""},
		"the golem dialect is open":                     {"PATCH", "/v1/agent-secrets/1", known, allow, ""},
		"the golem dialect is open when aggregated":     {"GET", "/apis/golem.latchkey.dev/v1/envs/1/agent-secrets", known, allow, ""},
		"discovery is open":                             {"GET", "/apis/", known, allow, ""},
		"discovery of a group is open":                  {"GET", "/apis/coder.latchkey.dev", known, allow, ""},
		"discovery of a version is open":                {"GET", "/apis/golem.latchkey.dev/v1", known, allow, ""},
		"openapi is open":                               {"GET", "/openapi/v3/apis/golem.latchkey.dev/v1", known, allow, ""},
		"other paths are the cluster's to decide":       {"GET", "/metrics", known, deny, "get /metrics"},
		"so are paths that look like a resource's":      {"POST", "/api/v1/pods", known, deny, "post /api/v1/pods"},
		"lists among them are asked for by method":      {"GET", "/apis/coder.latchkey.dev/v2/users", known, deny, "get /apis/coder.latchkey.dev/v2/users"},
		"and so are paths that only begin like a group": {"GET", "/apis/coder.latchkey.development", known, deny, "get /apis/coder.latchkey.development"},
		"a dialect's path is not cleaned":               {"GET", "/v2/../v1/x", known, deny, "get /v2/../v1/x"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := ""
			d := pathAuthorizer{cluster: authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
				if a.IsResourceRequest() || a.GetUser() != tc.caller {
					t.Errorf("asked with resource request %v for %v", a.IsResourceRequest(), a.GetUser())
				}
				asked = a.GetVerb() + " " + a.GetPath()
				return deny, "", nil
			})}
			got, _, err := d.Authorize(t.Context(), attributes(t, tc.method, tc.path, tc.caller))
			if err != nil || got != tc.want {
				t.Errorf("decision = %v, %v, want %v", got, err, tc.want)
			}
			if diff := cmp.Diff(tc.wantAsked, asked); diff != "" {
				t.Errorf("asked of the cluster (-want +got):\n%s", diff)
			}
		})
	}
}

// attributes computes them as the chain does.
func attributes(t *testing.T, method, path string, caller user.Info) authorizer.Attributes {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	info, err := lenientInfo{genericapiserver.NewRequestInfoResolver(genericapiserver.NewConfig(codecs))}.NewRequestInfo(r)
	if err != nil {
		t.Fatal(err)
	}
	ctx := request.WithRequestInfo(t.Context(), info)
	if caller != nil {
		ctx = request.WithUser(ctx, caller)
	}
	a, err := filters.GetAuthorizerAttributes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ClusterRole latchkey-api-access is written for these.
func TestWhatTheAPIServerTakesAPathFor(t *testing.T) {
	type rule struct{ Verb, Group, Resource, Subresource, Name string }
	const coder, golem = "coder.latchkey.dev", "golem.latchkey.dev"
	for name, tc := range map[string]struct {
		method, path string
		want         rule
	}{
		"coder list":   {"GET", CoderAggregated + "me/secrets", rule{"get", coder, "users", "secrets", "me"}},
		"coder create": {"POST", CoderAggregated + "me/secrets", rule{"create", coder, "users", "secrets", "me"}},
		"coder get":    {"GET", CoderAggregated + "me/secrets/a", rule{"get", coder, "users", "secrets", "me"}},
		"coder update": {"PATCH", CoderAggregated + "me/secrets/a", rule{"patch", coder, "users", "secrets", "me"}},
		"coder delete": {"DELETE", CoderAggregated + "me/secrets/a", rule{"delete", coder, "users", "secrets", "me"}},
		"coder import": {"POST", CoderAggregated + "me/secrets/batch", rule{"create", coder, "users", "secrets", "me"}},
		"golem list":   {"GET", GolemAggregated + "envs/1/agent-secrets", rule{"get", golem, "envs", "agent-secrets", "1"}},
		"golem create": {"POST", GolemAggregated + "envs/1/agent-secrets", rule{"create", golem, "envs", "agent-secrets", "1"}},
		"golem get":    {"GET", GolemAggregated + "agent-secrets/1", rule{"get", golem, "agent-secrets", "", "1"}},
		"golem update": {"PATCH", GolemAggregated + "agent-secrets/1", rule{"patch", golem, "agent-secrets", "", "1"}},
		"golem delete": {"DELETE", GolemAggregated + "agent-secret/1", rule{"delete", golem, "agent-secret", "", "1"}},
		"golem delete of the wrong number": {
			"DELETE", GolemAggregated + "agent-secrets/1", rule{"delete", golem, "agent-secrets", "", "1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := attributes(t, tc.method, tc.path, nil)
			got := rule{a.GetVerb(), a.GetAPIGroup(), a.GetResource(), a.GetSubresource(), a.GetName()}
			if diff := cmp.Diff(tc.want, got); diff != "" || !a.IsResourceRequest() {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
		})
	}
}
