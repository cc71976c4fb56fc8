// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
)

// Config is what a [Handler] needs.
type Config struct {
	// Prefix is the path before envs, agent-secrets and agent-secret, with a
	// slash at both ends: "/v1/" or "/apis/golem.latchkey.dev/v1/".
	Prefix string
	// Directory, Access, Secrets and Opener are all required.
	Directory Directory
	Access    Access
	Secrets   Secrets
	Opener    Opener
}

// Handler serves the dialect below one prefix. It is safe for concurrent use.
type Handler struct {
	config Config
	// checking has a place for every large value that is being checked.
	checking chan struct{}
}

// New returns a Handler. The caller of every request that it serves must be
// authenticated and in the request's context.
func New(c Config) *Handler {
	return &Handler{config: c, checking: make(chan struct{}, maxChecking)}
}

// call is one request while it is served.
type call struct {
	w http.ResponseWriter
	r *http.Request
	// target is set once the route is known. Its id is that of the environment or the
	// secret; it is in lower case once the operation is known.
	target target
	op     *operation
	// environment is set once it is known, whether the caller may see it or not.
	environment directory.Tenant
	// path is the canonical path of the secret to create.
	path []string
}

func (c *call) ctx() context.Context { return c.r.Context() }

// operation is one row of the contract's table of paths.
type operation struct {
	method string
	verb   string // what the caller must be allowed to do with the agentsecrets
	action string // the contract's name for it in a refusal
	run    func(*Handler, *call) (any, error)
}

func (o operation) is() string { return o.method }

var operations = map[resource][]operation{
	environmentSecrets: {
		{http.MethodGet, "list", "ViewAgentSecret", (*Handler).list},
		{http.MethodPost, "create", "CreateAgentSecret", (*Handler).create},
	},
	oneSecret: {
		{http.MethodGet, "get", "ViewAgentSecret", (*Handler).get},
		{http.MethodPatch, "patch", "UpdateAgentSecret", (*Handler).update},
	},
	deletion: {
		{http.MethodDelete, "delete", "DeleteAgentSecret", (*Handler).remove},
	},
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r, done := requests.Account(r)
	defer done()
	c := &call{w: w, r: r}
	body, err := h.serve(c)
	if err != nil {
		writeError(c, err)
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// serve finds the operation of a request and runs it.
func (h *Handler) serve(c *call) (any, error) {
	if _, ok := request.UserFrom(c.ctx()); !ok {
		return nil, errUnauthenticated
	}
	var found bool
	if c.target, found = parsePath(h.config.Prefix, c.r.URL.EscapedPath()); !found {
		return nil, errNoRoute
	}
	var allow string
	if c.op, allow = requests.Route(operations[c.target.resource], operation.is, c.r.Method); c.op == nil {
		c.w.Header().Set("Allow", allow)
		return nil, errNoMethod
	}
	id, ok := parseID(c.target.id)
	if !ok {
		return nil, invalidRequest(c.target.resource.idName() + ": expected a UUID")
	}
	c.target.id = id
	return c.op.run(h, c)
}

func (r resource) idName() string {
	if r == environmentSecrets {
		return "environment_id"
	}
	return "agent_secret_id"
}

func (h *Handler) list(c *call) (any, error) {
	e, err := h.environment(c)
	if err != nil {
		return nil, err
	}
	objs, err := h.config.Secrets.List(c.ctx(), e.Namespace)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(objs, func(a, b *v1alpha1.AgentSecret) int {
		return cmp.Or(slices.Compare(a.Spec.Path, b.Spec.Path), cmp.Compare(a.UID, b.UID))
	})
	// One check for all: a right to single names counts only if a single secret is
	// addressed.
	reveal := slices.ContainsFunc(objs, func(o *v1alpha1.AgentSecret) bool { return o.Spec.SealedValue != "" })
	if reveal {
		if reveal, err = h.config.Access.RevealAgentSecret(c.ctx(), e.Namespace, ""); err != nil {
			return nil, err
		}
	}
	values := make([]agentSecret, 0, len(objs)) // an empty array, never null
	for _, o := range objs {
		s, err := read(o, e)
		if err != nil {
			return nil, err
		}
		shown, err := h.show(c.ctx(), s, reveal)
		if err != nil {
			return nil, err
		}
		values = append(values, shown)
	}
	return agentSecrets{Values: values}, nil
}

func (h *Handler) get(c *call) (any, error) {
	s, err := h.secret(c)
	if err != nil {
		return nil, err
	}
	reveal := false
	if s.object.Spec.SealedValue != "" {
		if reveal, err = h.mayReveal(c, s); err != nil {
			return nil, err
		}
	}
	return h.show(c.ctx(), s, reveal)
}

// mayReveal reports whether the caller may see the value of s.
func (h *Handler) mayReveal(c *call, s secret) (bool, error) {
	return h.config.Access.RevealAgentSecret(c.ctx(), s.object.Namespace, s.object.Name)
}
