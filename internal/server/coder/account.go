// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// What the product's command line asks besides secrets when it logs in, says who it
// is and logs out. Only Latchkey's own port answers it: through the cluster, callers
// have their kubeconfig.

// Version is the version of the product whose command line this dialect was tried
// with, as a semantic version that the command line compares with its own.
const Version = "v2.36.1+latchkey"

// endpoint is a path below the root, and what may be done there. A segment "{user}"
// stands for any one segment.
type endpoint struct {
	path      string
	operation operation
}

var endpoints = []endpoint{
	{"users/me/keys", operation{method: http.MethodPost, verb: "get", sight: true, status: http.StatusCreated, run: (*Handler).key}},
	{"users/logout", operation{method: http.MethodPost, status: http.StatusOK, run: (*Handler).logout}},
	{"users/{user}", operation{method: http.MethodGet, verb: "get", sight: true, status: http.StatusOK, run: (*Handler).user}},
	{"deployment/user-secrets/capabilities", operation{method: http.MethodGet, status: http.StatusOK, run: (*Handler).capabilities}},
}

// open is what anybody may read, by path below the root. A client asks it before it
// has credentials, or with ones that are no good any more.
var open = map[string]any{
	"buildinfo":   map[string]string{"version": Version, "external_url": "https://github.com/latchkey-dev/latchkey"},
	"users/first": errorBody{Message: "The first user has already been created."},
}

// find returns the operations at an escaped path below root, and the user that the
// path names, if any. A user may have a name that is another endpoint's.
func find(root, escapedPath string) (operations []operation, user string) {
	rest, ok := strings.CutPrefix(escapedPath, root)
	if !ok || root == "" {
		return nil, ""
	}
	segments := strings.Split(rest, "/")
	for _, e := range endpoints {
		if named, ok := e.at(segments); ok {
			operations = append(operations, e.operation)
			user = named
		}
	}
	return operations, user
}

// at reports whether segments are the endpoint's path, and which user they name.
func (e endpoint) at(segments []string) (user string, ok bool) {
	want := strings.Split(e.path, "/")
	if len(want) != len(segments) {
		return "", false
	}
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		switch {
		case err != nil || decoded == "":
			return "", false
		case want[i] == "{user}":
			user = decoded
		case decoded != want[i]:
			return "", false
		case decoded == "me":
			user = decoded
		}
	}
	return user, true
}

// Open answers what needs no credentials below root, the path before "users/": the
// questions that a client asks before it has any, and every path that is not this
// dialect's. All else is for next.
func Open(root string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, below := strings.CutPrefix(r.URL.Path+"/", root)
		if !below {
			next.ServeHTTP(w, r)
			return
		}
		if body, ok := open[strings.TrimSuffix(rest, "/")]; ok {
			respondOpen(w, r, body)
			return
		}
		_, secrets := parsePath(root+"users/", r.URL.EscapedPath())
		if operations, _ := find(root, r.URL.EscapedPath()); operations == nil && !secrets {
			routeNotFound(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func respondOpen(w http.ResponseWriter, r *http.Request, body any) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		methodNotAllowed(w, "GET, HEAD")
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// userBody is the contract's User. Latchkey knows no more of a user than their name.
type userBody struct {
	ID              string    `json:"id"`
	Username        string    `json:"username"`
	Name            string    `json:"name"`
	Email           string    `json:"email"`
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
	Status          string    `json:"status"`
	LoginType       string    `json:"login_type"`
	OrganizationIDs []string  `json:"organization_ids"`
	Roles           []string  `json:"roles"`
}

func (h *Handler) user(c *call) (any, error) {
	return userBody{
		ID:              c.tenant.ID,
		Username:        c.tenant.Username,
		Name:            c.tenant.Username,
		CreatedAt:       c.tenant.Created,
		UpdatedAt:       c.tenant.Created,
		Status:          "active",
		LoginType:       "token",
		OrganizationIDs: []string{},
		Roles:           []string{},
	}, nil
}

func (h *Handler) logout(*call) (any, error) {
	return errorBody{
		Message: "Logged out!",
		Detail:  "The token stays valid: the cluster issued it, and only the cluster can revoke it.",
	}, nil
}

func (h *Handler) capabilities(*call) (any, error) {
	return map[string]bool{"file_path_delivery_enabled": true}, nil
}

type credentialKey struct{}

// WithCredential returns a context that carries the token which the caller of a
// request presents. Only [WantsCredential] requests need it.
func WithCredential(ctx context.Context, token seal.Value) context.Context {
	return context.WithValue(ctx, credentialKey{}, token)
}

// WantsCredential reports whether a request asks for a key below root, which is the
// very token that it presents.
func WantsCredential(root string, r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == root+"users/me/keys"
}

// errNoCredential says that a caller was authenticated by something else than a
// token.
var errNoCredential = errors.New("the caller presented no token")

// key answers a request for a key with the token that came with it. Nothing is made,
// so a login lasts exactly as long as that token, and ends with it.
func (h *Handler) key(c *call) (any, error) {
	token, ok := c.r.Context().Value(credentialKey{}).(seal.Value)
	if !ok {
		return nil, errNoCredential
	}
	c.w.Header().Set("Cache-Control", "no-store")
	return map[string]string{"key": string(token.Reveal())}, nil
}
