// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"net/url"
	"testing"
)

func TestParsePath(t *testing.T) {
	for name, tc := range map[string]struct {
		path string
		want target
		ok   bool
	}{
		"the secrets of a user":                        {"/api/v2/users/me/secrets", target{user: "me"}, true},
		"one secret":                                   {"/api/v2/users/me/secrets/a", target{"me", "a"}, true},
		"batch is a name":                              {"/api/v2/users/me/secrets/batch", target{"me", "batch"}, true},
		"a user is decoded":                            {"/api/v2/users/a%40b/secrets", target{user: "a@b"}, true},
		"an encoded slash stays inside the name":       {"/api/v2/users/me/secrets/a%2Fb", target{"me", "a/b"}, true},
		"a name is decoded once":                       {"/api/v2/users/me/secrets/a%252Fb", target{"me", "a%2Fb"}, true},
		"a percent sign is a character":                {"/api/v2/users/me/secrets/a%25b", target{"me", "a%b"}, true},
		"a plus is no blank":                           {"/api/v2/users/me/secrets/a+b", target{"me", "a+b"}, true},
		"a blank and letters beyond ASCII are decoded": {"/api/v2/users/me/secrets/cl%C3%A9%20x", target{"me", "clé x"}, true},
		"letters beyond ASCII need no encoding":        {"/api/v2/users/me/secrets/clé", target{"me", "clé"}, true},
		"an encoded separator is a character":          {"/api/v2/users/me/secrets/a%3Fb%23", target{"me", "a?b#"}, true},
		"dots are not resolved":                        {"/api/v2/users/me/secrets/..", target{"me", ".."}, true},
		"encoded dots are not resolved":                {"/api/v2/users/me/secrets/%2e%2E", target{"me", ".."}, true},
		"a resource may be encoded":                    {"/api/v2/users/me/secret%73/a", target{"me", "a"}, true},
		"a trailing slash addresses nothing":           {"/api/v2/users/me/secrets/", target{}, false},
		"nothing lies below a secret":                  {"/api/v2/users/me/secrets/a/b", target{}, false},
		"an empty user addresses nothing":              {"/api/v2/users//secrets", target{}, false},
		"dots do not climb":                            {"/api/v2/users/x/../me/secrets", target{}, false},
		"another resource is not ours":                 {"/api/v2/users/me/keys", target{}, false},
		"a user alone is not ours":                     {"/api/v2/users/me", target{}, false},
		"another prefix is not ours":                   {"/api/v1/users/me/secrets", target{}, false},
		"the prefix alone is not ours":                 {"/api/v2/users/", target{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(tc.path)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := parsePath("/api/v2/users/", u.EscapedPath())
			if got != tc.want || ok != tc.ok {
				t.Errorf("parsePath(%q) = %+v, %v, want %+v, %v", tc.path, got, ok, tc.want, tc.ok)
			}
		})
	}
}

func TestParsePathAfterAProxyThatDecoded(t *testing.T) {
	// The aggregation layer forwards the decoded path alone and the URL encodes
	// it again: the name is still decoded once.
	u := &url.URL{Path: "/apis/coder.latchkey.dev/v2/users/me/secrets/50%41 %"}
	got, ok := parsePath("/apis/coder.latchkey.dev/v2/users/", u.EscapedPath())
	if want := (target{"me", "50%41 %"}); got != want || !ok {
		t.Errorf("parsePath = %+v, %v, want %+v", got, ok, want)
	}
}
