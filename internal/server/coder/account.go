// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
)

// The requests of the product's command line that do not concern secrets: to log in, to
// show the user and to log out. Only Latchkey's own port answers them. Callers through
// the cluster use their kubeconfig.

// Version is the version of the product whose command line was tested with this
// dialect. It is a semantic version, which the command line compares with its own.
const Version = "v2.36.1+latchkey"

// endpoint is a path below the root, and its operations. A segment "{user}" stands for
// any one segment.
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

// open has the answers that need no credentials, by path below the root. A client asks
// for them before it has credentials, or when they have expired.
var open = map[string]any{
	"buildinfo":   map[string]string{"version": Version, "external_url": "https://github.com/latchkey-dev/latchkey"},
	"users/first": errorBody{Message: "The first user has already been created."},
}

// find returns the operations at an escaped path below root, and the user in the path,
// if any. A user may have the name of another endpoint.
func find(root, escapedPath string) (operations []operation, user string) {
	segments, ok := requests.Segments(root, escapedPath)
	if !ok || root == "" {
		return nil, ""
	}
	for _, e := range endpoints {
		if named, ok := e.at(segments); ok {
			operations = append(operations, e.operation)
			user = named
		}
	}
	return operations, user
}

// at reports whether segments match the endpoint's path, and returns the user in them.
func (e endpoint) at(segments []string) (user string, ok bool) {
	want := strings.Split(e.path, "/")
	if len(want) != len(segments) {
		return "", false
	}
	for i, segment := range segments {
		if want[i] != "{user}" && segment != want[i] {
			return "", false
		}
		if want[i] == "{user}" || want[i] == directory.Self {
			user = segment
		}
	}
	return user, true
}

// Open answers requests that need no credentials below root, the path before "users/":
// what a client asks before it has credentials, and every path that this dialect does
// not have. All other requests are passed to next.
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

// userBody is the contract's User. Latchkey knows only a user's name.
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
		Username:        c.tenant.Name,
		Name:            c.tenant.Name,
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

// WithCredential returns a context with the token that the caller of a request
// presents. Only [WantsCredential] requests need it.
func WithCredential(ctx context.Context, token seal.Value) context.Context {
	return context.WithValue(ctx, credentialKey{}, token)
}

// WantsCredential reports whether a request asks for a key below root. The answer is
// the token that the request presents.
func WantsCredential(root string, r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == root+"users/me/keys"
}

// errNoCredential reports that the caller was not authenticated by a token.
var errNoCredential = errors.New("the caller presented no token")

// key answers a request for a key with the token of the request. It creates nothing, so
// a login lasts as long as that token.
func (h *Handler) key(c *call) (any, error) {
	token, ok := c.r.Context().Value(credentialKey{}).(seal.Value)
	if !ok {
		return nil, errNoCredential
	}
	c.w.Header().Set("Cache-Control", "no-store")
	return map[string]string{"key": string(token.Reveal())}, nil
}
