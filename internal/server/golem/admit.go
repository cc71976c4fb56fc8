// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"errors"

	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// environment returns the environment that a call addresses, if its caller may run the
// operation there. A caller who may do that may also see it, so the right to see it is
// checked only to choose between two refusals. A caller who may not see it gets the
// same answer whether it exists or not, and after the same work: the same checks of
// rights, and one lookup past the cache.
func (h *Handler) environment(c *call) (Environment, error) {
	e, err := h.config.Directory.Environment(c.ctx(), c.target.id)
	unknown := errors.Is(err, ErrUnknownEnvironment)
	switch {
	case err != nil && !unknown:
		return Environment{}, err
	case !unknown:
		c.environment = e
	}
	allowed, err := h.config.Authorizer.Allowed(c.ctx(), c.op.verb, e, "")
	if err != nil {
		return Environment{}, err
	}
	if allowed && !unknown {
		return e, nil
	}
	visible := allowed
	if !allowed {
		if visible, err = h.config.Authorizer.MaySeeEnvironment(c.ctx(), e); err != nil {
			return Environment{}, err
		}
	}
	switch {
	case unknown:
		return Environment{}, ErrUnknownEnvironment
	case visible:
		return Environment{}, errForbidden
	}
	if err := h.config.Directory.RefreshEnvironments(c.ctx()); err != nil {
		return Environment{}, err
	}
	return Environment{}, ErrUnknownEnvironment
}

// secret returns the secret that a call addresses, if its caller may view it and run
// the operation on it. A caller who may not view it gets the answer about a secret that
// does not exist, after the same work.
func (h *Handler) secret(c *call) (Secret, error) {
	s, err := h.config.Secrets.Get(c.ctx(), c.target.id)
	unknown := errors.Is(err, store.ErrNotFound)
	switch {
	case err != nil && !unknown:
		return Secret{}, err
	case !unknown:
		c.environment = s.Environment
	}
	visible, err := h.config.Authorizer.Allowed(c.ctx(), "get", s.Environment, s.Object)
	switch {
	case err != nil:
		return Secret{}, err
	case unknown:
		return Secret{}, store.ErrNotFound
	case !visible:
		if err := h.config.Secrets.Refresh(c.ctx()); err != nil {
			return Secret{}, err
		}
		return Secret{}, store.ErrNotFound
	}
	if c.op.verb == "get" {
		return s, nil
	}
	allowed, err := h.config.Authorizer.Allowed(c.ctx(), c.op.verb, s.Environment, s.Object)
	if err != nil {
		return Secret{}, err
	}
	if !allowed {
		return Secret{}, errForbidden
	}
	return s, nil
}
