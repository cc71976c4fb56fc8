// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"context"
	"errors"

	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// environment returns the environment that a call addresses, if its caller may run the
// operation there. A caller who may do that may also see it, so the right to see it is
// checked only to choose between two refusals. A caller who may not see it gets the
// same answer whether it exists or not, and after the same work: the same checks of
// rights, and one lookup past the cache.
func (h *Handler) environment(c *call) (directory.Tenant, error) {
	e, err := h.config.Directory.Environment(c.ctx(), c.target.id)
	unknown := errors.Is(err, directory.ErrUnknown)
	switch {
	case err != nil && !unknown:
		return directory.Tenant{}, err
	case !unknown:
		c.environment = e
		requests.Audited(c.ctx(), requests.AuditTenant, e.Namespace)
	}
	allowed, err := h.config.Access.AgentSecrets(c.ctx(), c.op.verb, e.Namespace, "")
	if err != nil {
		return directory.Tenant{}, err
	}
	if allowed && !unknown {
		return e, nil
	}
	visible := allowed
	if !allowed {
		if visible, err = h.maySee(c.ctx(), e); err != nil {
			return directory.Tenant{}, err
		}
	}
	switch {
	case unknown:
		return directory.Tenant{}, directory.ErrUnknown
	case visible:
		return directory.Tenant{}, errForbidden
	}
	if err := h.config.Directory.Refresh(c.ctx()); err != nil {
		return directory.Tenant{}, err
	}
	return directory.Tenant{}, directory.ErrUnknown
}

// maySee reports whether the caller may use any verb on the agentsecrets of e, or get
// its Namespace.
func (h *Handler) maySee(ctx context.Context, e directory.Tenant) (bool, error) {
	for _, verb := range []string{"list", "get", "create", "patch", "delete"} {
		if ok, err := h.config.Access.AgentSecrets(ctx, verb, e.Namespace, ""); ok || err != nil {
			return ok, err
		}
	}
	return h.config.Access.GetNamespace(ctx, e.Namespace)
}

// secret returns the secret that a call addresses, if its caller may view it and run
// the operation on it. A caller who may not view it gets the answer about a secret that
// does not exist, after the same work.
func (h *Handler) secret(c *call) (secret, error) {
	s, err := h.find(c)
	unknown := errors.Is(err, store.ErrNotFound)
	if err != nil && !unknown {
		return secret{}, err
	}
	namespace, name := directory.Nobody(c.target.id).Namespace, c.target.id
	if !unknown {
		c.environment = s.environment
		namespace, name = s.object.Namespace, s.object.Name
	}
	visible, err := h.config.Access.AgentSecrets(c.ctx(), "get", namespace, name)
	switch {
	case err != nil:
		return secret{}, err
	case unknown:
		return secret{}, store.ErrNotFound
	case !visible:
		if err := h.config.Secrets.Refresh(c.ctx()); err != nil {
			return secret{}, err
		}
		return secret{}, store.ErrNotFound
	}
	if c.op.verb == "get" {
		return s, nil
	}
	allowed, err := h.config.Access.AgentSecrets(c.ctx(), c.op.verb, namespace, name)
	if err != nil {
		return secret{}, err
	}
	if !allowed {
		return secret{}, errForbidden
	}
	return s, nil
}

// find reads the secret that a call addresses, and its environment. It returns
// store.ErrNotFound also if its namespace is no longer an environment.
func (h *Handler) find(c *call) (secret, error) {
	obj, err := h.config.Secrets.Get(c.ctx(), c.target.id)
	if err != nil {
		return secret{}, err
	}
	e, err := h.config.Directory.EnvironmentIn(c.ctx(), obj.Namespace)
	if errors.Is(err, directory.ErrUnknown) {
		return secret{}, store.ErrNotFound
	}
	if err != nil {
		return secret{}, err
	}
	requests.Audited(c.ctx(), requests.AuditTenant, e.Namespace)
	audited(c.ctx(), obj)
	return read(obj, e)
}
