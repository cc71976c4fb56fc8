// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/latchkey-dev/latchkey/internal/imports"
	"github.com/latchkey-dev/latchkey/internal/policy/rules"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
)

// DefaultMaxSecrets is how many secrets a user may have unless configured
// otherwise.
const DefaultMaxSecrets = 50

// Config is what a [Handler] needs.
type Config struct {
	// Prefix is the path before {user}, with a slash at both ends:
	// "/api/v2/users/" or "/apis/coder.latchkey.dev/v2/users/".
	Prefix string
	// Root is the path before "users/", such as "/api/v2/", where what the command
	// line asks besides secrets is served too; "" for nowhere.
	Root string
	// Directory, Authorizer and Secrets are all required.
	Directory  Directory
	Authorizer Authorizer
	Secrets    Secrets
	// MaxSecrets is how many secrets a user may have, and so one import may
	// hold; 0 means DefaultMaxSecrets. Enforcing it on what is stored is the
	// store's part.
	MaxSecrets int
}

// Handler serves the dialect below one prefix. It is safe for concurrent use.
type Handler struct {
	config Config
	// parsing holds a place for every secrets file that is being parsed.
	parsing chan struct{}
}

// maxParsing is how many secrets files are parsed at once. A hostile file of
// 1 MiB grows to more than a hundred in a parser, so it is this number and not
// that of the clients which bounds the memory.
const maxParsing = 2

// New returns a Handler. The caller of every request it serves must already be
// authenticated and be in the request's context.
func New(c Config) *Handler {
	c.MaxSecrets = cmp.Or(c.MaxSecrets, DefaultMaxSecrets)
	return &Handler{config: c, parsing: make(chan struct{}, maxParsing)}
}

// call is one request on its way through an operation. The tenant is set once
// the user is known.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	target target
	tenant Tenant
}

// operation is one row of the contract's table of paths.
type operation struct {
	method string
	verb   string // what the caller must be allowed on the usersecrets; "" for nothing
	sight  bool   // whoever may see the user may do it
	status int    // of the answer on success
	bulk   bool   // the import, whose answers about fields name the entry
	run    func(*Handler, *call) (any, error)
}

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
	op, allow := route(operations, r.Method)
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

// at finds what an escaped path addresses, and the operations there.
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

// route finds the operation of a method among those of a target, or which methods
// there are. HEAD is GET: net/http drops the body.
func route(operations []operation, method string) (op *operation, allow string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var methods []string
	for i := range operations {
		if operations[i].method == method {
			return &operations[i], ""
		}
		methods = append(methods, operations[i].method)
		if operations[i].method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	return nil, strings.Join(methods, ", ")
}

// serve takes a request through the checks that all operations share and then
// runs the operation: nothing is read or loaded for a caller who may not.
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
		return nil, errNoAccess // no secret can have this name, whoever asks
	}
	if err := h.admit(op, c, caller.GetName()); err != nil {
		requests.Unread(c.w, c.r)
		return nil, err
	}
	return op.run(h, c)
}

func (h *Handler) list(c *call) (any, error) {
	secrets, err := h.config.Secrets.List(c.r.Context(), c.tenant)
	if err != nil {
		return nil, err
	}
	if secrets == nil {
		secrets = []Secret{} // an empty array, never null
	}
	slices.SortFunc(secrets, func(a, b Secret) int { return cmp.Compare(a.Name, b.Name) })
	return secrets, nil
}

func (h *Handler) get(c *call) (any, error) {
	return h.config.Secrets.Get(c.r.Context(), c.tenant, c.target.name)
}

func (h *Handler) create(c *call) (any, error) {
	var body createBody
	if err := readJSON(c.w, c.r, maxBodyBytes, &body); err != nil {
		return nil, err
	}
	secret := body.newSecret()
	if err := invalid(checkNew("", secret)); err != nil {
		return nil, err
	}
	created, err := h.config.Secrets.Create(c.r.Context(), c.tenant, []NewSecret{secret})
	if err != nil {
		return nil, err
	}
	if len(created) != 1 {
		return nil, errors.New("the store did not return the one secret that it created")
	}
	return created[0], nil
}

func (h *Handler) update(c *call) (any, error) {
	var body updateBody
	if err := readJSON(c.w, c.r, maxBodyBytes, &body); err != nil {
		return nil, err
	}
	change := body.change()
	if change == (Change{}) {
		return nil, errNothingToChange
	}
	if err := invalid(checkChange(change)); err != nil {
		return nil, err
	}
	return h.config.Secrets.Update(c.r.Context(), c.tenant, c.target.name, change)
}

func (h *Handler) remove(c *call) (any, error) {
	return nil, h.config.Secrets.Delete(c.r.Context(), c.tenant, c.target.name)
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
	secrets := newSecrets(entries)
	if err := invalid(checkAll(secrets)); err != nil {
		return nil, err
	}
	return h.config.Secrets.Create(c.r.Context(), c.tenant, secrets)
}

// parse parses a secrets file when it is its turn.
func (h *Handler) parse(ctx context.Context, body importBody) ([]imports.Entry, error) {
	select {
	case h.parsing <- struct{}{}:
		defer func() { <-h.parsing }()
		return imports.Parse(body.Format, body.Content, h.config.MaxSecrets)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
