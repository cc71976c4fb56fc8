// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCoderCredentials(t *testing.T) {
	const path = "/api/v2/users/me/secrets"
	type seen struct{ Authorization, URI, Query string }
	for name, tc := range map[string]struct {
		uri    string
		header map[string]string
		want   seen
	}{
		"the header becomes a bearer token": {
			uri: path, header: map[string]string{"Coder-Session-Token": "canary"},
			want: seen{"Bearer canary", path, ""},
		},
		"the header in another spelling too": {
			uri: path, header: map[string]string{"coder-session-TOKEN": "canary"},
			want: seen{"Bearer canary", path, ""},
		},
		"on the aggregated face too": {
			uri: CoderAggregated + "me/secrets", header: map[string]string{"Coder-Session-Token": "canary"},
			want: seen{"Bearer canary", CoderAggregated + "me/secrets", ""},
		},
		"the query parameter becomes a bearer token": {
			uri:  path + "?coder_session_token=canary",
			want: seen{"Bearer canary", path, ""},
		},
		"other parameters stay as they were, byte for byte": {
			uri:  path + "?b=%7e&coder_session_token=canary&a=+&c",
			want: seen{"Bearer canary", path + "?b=%7e&a=+&c", "b=%7e&a=+&c"},
		},
		"an escaped parameter is found": {
			uri:  path + "?coder%5fsession%5Ftoken=can%61ry",
			want: seen{"Bearer canary", path, ""},
		},
		"of several parameters the first counts and all go": {
			uri:  path + "?coder_session_token=canary&coder_session_token=canary2",
			want: seen{"Bearer canary", path, ""},
		},
		"the header wins over the parameter": {
			uri: path + "?coder_session_token=canary2", header: map[string]string{"Coder-Session-Token": "canary"},
			want: seen{"Bearer canary", path, ""},
		},
		"a bearer token wins over both": {
			uri:    path + "?coder_session_token=canary2",
			header: map[string]string{"Coder-Session-Token": "canary", "Authorization": "bearer mine"},
			want:   seen{"bearer mine", path, ""},
		},
		"another kind of authorization does not": {
			uri:    path,
			header: map[string]string{"Coder-Session-Token": "canary", "Authorization": "Basic Og=="},
			want:   seen{"Bearer canary", path, ""},
		},
		"on the other dialect's paths they are removed and not used": {
			uri: "/v1/envs/x/agent-secrets?coder_session_token=canary", header: map[string]string{"Coder-Session-Token": "canary"},
			want: seen{"", "/v1/envs/x/agent-secrets", ""},
		},
		"on every other path too": {
			uri: "/metrics?coder_session_token=canary", header: map[string]string{"Coder-Session-Token": "canary"},
			want: seen{"", "/metrics", ""},
		},
		"a malformed parameter that names the token is removed and not used": {
			uri:  path + "?a;coder_session_token=canary&CODER_SESSION_TOKEN=canary&%zz&b=1",
			want: seen{"", path + "?%zz&b=1", "%zz&b=1"},
		},
		"a malformed escape beside the token does not keep it": {
			uri:  path + "?%zzcoder_session_token=canary",
			want: seen{"", path, ""},
		},
		"an empty header is none": {
			uri: path + "?coder_session_token=canary", header: map[string]string{"Coder-Session-Token": ""},
			want: seen{"Bearer canary", path, ""},
		},
		"an empty parameter is none": {
			uri:  path + "?coder_session_token=",
			want: seen{"", path, ""},
		},
		"nothing is touched without any": {
			uri:  path + "?a=1&&b",
			want: seen{"", path + "?a=1&&b", "a=1&&b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got seen
			handler := withCoderCredentials(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = seen{r.Header.Get("Authorization"), r.RequestURI, r.URL.RawQuery}
				if len(r.Header.Values("Coder-Session-Token")) > 0 {
					t.Error("the header is still there")
				}
				if rest := r.RequestURI + r.URL.String(); strings.Contains(rest, "canary") {
					t.Errorf("the token is still in %s", rest)
				}
			}))
			u, err := url.ParseRequestURI(tc.uri)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.URL, r.RequestURI = u, tc.uri
			for key, value := range tc.header {
				r.Header.Set(key, value)
			}
			handler.ServeHTTP(httptest.NewRecorder(), r)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("request behind the filter (-want +got):\n%s", diff)
			}
		})
	}
}
