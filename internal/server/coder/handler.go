// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/imports"
	"github.com/latchkey-dev/latchkey/internal/policy/rules"
	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// DefaultMaxSecrets is the maximum number of secrets of a user, unless configured
// otherwise.
const DefaultMaxSecrets = 50

// Config is what a [Handler] needs.
type Config struct {
	// Prefix is the path before {user}, with a slash at both ends:
	// "/api/v2/users/" or "/apis/coder.latchkey.dev/v2/users/".
	Prefix string
	// Root is the path before "users/", such as "/api/v2/", below which the command
	// line's other requests are served; "" disables them.
	Root string
	// Directory, Access and Secrets are all required.
	Directory Directory
	Access    Access
	Secrets   Secrets
	// MaxSecrets is the maximum number of secrets of a user, and so of an import; 0
	// means DefaultMaxSecrets. The store enforces it for stored secrets.
	MaxSecrets int
}

// Handler serves the dialect below one prefix. It is safe for concurrent use.
type Handler struct {
	config Config
	// parsing has a place for every secrets file that is being parsed.
	parsing chan struct{}
}

// maxParsing is how many secrets files are parsed at once. A parser needs more than a
// hundred MiB for a hostile file of 1 MiB, so this number bounds the memory, not the
// number of clients.
const maxParsing = 2

// New returns a Handler. The caller of every request that it serves must be
// authenticated and in the request's context.
func New(c Config) *Handler {
	c.MaxSecrets = cmp.Or(c.MaxSecrets, DefaultMaxSecrets)
	return &Handler{config: c, parsing: make(chan struct{}, maxParsing)}
}

// call is one request while it is served. tenant is set once the user is known.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	target target
	tenant directory.Tenant
}

// operation is one row of the contract's table of paths.
type operation struct {
	method string
	verb   string // what the caller must be allowed to do with the usersecrets; "" for nothing
	sight  bool   // allowed to every caller who may see the user
	status int    // of a successful answer
	bulk   bool   // the import, whose answers about fields name the entry
	run    func(*Handler, *call) (any, error)
}

func (o operation) is() string { return o.method }

var (
	onAll = []operation{
		{method: http.MethodGet, verb: "list", status: http.StatusOK, run: (*Handler).list},
		{method: http.MethodPost, verb: "create", status: http.StatusCreated, run: (*Handler).create},
	}
	onOne = []operation{
		{method: http.MethodGet, verb: "get", status: http.StatusOK, run: (*Handler).get},
		{method: http.MethodPatch, verb: "patch", status: http.StatusOK, run: (*Handler).update},
		{method: http.MethodDelete, verb: "delete", status: http.StatusNoContent, run: (*Handler).remove},
	}
	onImport = append(slices.Clone(onOne), operation{
		method: http.MethodPost, verb: "create", status: http.StatusCreated, bulk: true, run: (*Handler).importFile,
	})
)

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r, done := requests.Account(r)
	defer done()
	where, operations := h.at(r.URL.EscapedPath())
	if operations == nil {
		routeNotFound(w)
		return
	}
	op, allow := requests.Route(operations, operation.is, r.Method)
	if op == nil {
		methodNotAllowed(w, allow)
		return
	}
	c := &call{w: w, r: r, target: where}
	body, err := h.serve(op, c)
	if err != nil {
		writeError(c, op, err)
		return
	}
	if op.status == http.StatusNoContent {
		w.WriteHeader(op.status)
		return
	}
	writeJSON(w, op.status, body)
}

// at returns what an escaped path addresses, and its operations.
func (h *Handler) at(escapedPath string) (target, []operation) {
	where, found := parsePath(h.config.Prefix, escapedPath)
	switch {
	case !found:
		operations, user := find(h.config.Root, escapedPath)
		return target{user: user}, operations
	case where.name == "":
		return where, onAll
	case where.name == importName:
		return where, onImport
	}
	return where, onOne
}

// serve runs the checks that all operations share, and then the operation. Nothing is
// read or loaded for a caller who is refused.
func (h *Handler) serve(op *operation, c *call) (any, error) {
	caller, ok := request.UserFrom(c.r.Context())
	if !ok {
		return nil, errUnauthenticated
	}
	if op.verb == "" {
		return op.run(h, c)
	}
	if op.verb != "create" && c.target.name != "" && rules.Name(c.target.name) != "" {
		requests.Unread(c.w, c.r)
		return nil, errNoAccess // no secret can have this name
	}
	if err := h.admit(op, c, caller.GetName()); err != nil {
		requests.Unread(c.w, c.r)
		return nil, err
	}
	return op.run(h, c)
}

func (h *Handler) list(c *call) (any, error) {
	objs, err := h.config.Secrets.List(c.r.Context(), c.tenant.Namespace)
	if err != nil {
		return nil, err
	}
	secrets := viewAll(objs)
	slices.SortFunc(secrets, func(a, b secret) int { return cmp.Compare(a.Name, b.Name) })
	return secrets, nil
}

func (h *Handler) get(c *call) (any, error) {
	return c.viewOne(h.config.Secrets.Get(c.r.Context(), c.tenant.Namespace, c.target.name))
}

func (h *Handler) create(c *call) (any, error) {
	var body createBody
	if err := readJSON(c.w, c.r, maxBodyBytes, &body); err != nil {
		return nil, err
	}
	n := body.newSecret()
	if err := invalid(checkNew("", n)); err != nil {
		return nil, err
	}
	created, err := h.createAll(c, []store.NewUser{n})
	if err != nil {
		return nil, err
	}
	return created[0], nil
}

func (h *Handler) update(c *call) (any, error) {
	var body updateBody
	if err := readJSON(c.w, c.r, maxBodyBytes, &body); err != nil {
		return nil, err
	}
	change := body.change()
	if change == (store.UserChange{}) {
		return nil, errNothingToChange
	}
	if err := invalid(checkChange(change)); err != nil {
		return nil, err
	}
	return c.viewOne(h.config.Secrets.Update(c.r.Context(), c.tenant.Namespace, c.target.name, change))
}

func (h *Handler) remove(c *call) (any, error) {
	return c.viewOne(h.config.Secrets.Delete(c.r.Context(), c.tenant.Namespace, c.target.name))
}

func (h *Handler) importFile(c *call) (any, error) {
	var body importBody
	if err := readJSON(c.w, c.r, maxImportBodyBytes, &body); err != nil {
		return nil, err
	}
	entries, err := h.parse(c.r.Context(), body)
	if err != nil {
		return nil, err
	}
	secrets := make([]store.NewUser, len(entries))
	for i, e := range entries {
		secrets[i] = store.NewUser{Name: e.Key, Value: e.Value, EnvName: e.EnvName(), Enabled: true}
	}
	if err := invalid(checkAll(secrets)); err != nil {
		return nil, err
	}
	return h.createAll(c, secrets)
}

// createAll creates all the secrets or none, and returns them in the given order.
func (h *Handler) createAll(c *call, secrets []store.NewUser) ([]secret, error) {
	objs, err := h.config.Secrets.Create(c.r.Context(), c.tenant.Namespace, secrets)
	if err != nil {
		return nil, err
	}
	audited(c.r.Context(), objs...)
	return viewAll(objs), nil
}

// viewOne returns the one secret that a call is about in the form of the answer.
func (c *call) viewOne(obj *v1alpha1.UserSecret, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	audited(c.r.Context(), obj)
	return view(obj), nil
}

// parse parses a secrets file when a place is free.
func (h *Handler) parse(ctx context.Context, body importBody) ([]imports.Entry, error) {
	select {
	case h.parsing <- struct{}{}:
		defer func() { <-h.parsing }()
		return imports.Parse(body.Format, body.Content, h.config.MaxSecrets)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
