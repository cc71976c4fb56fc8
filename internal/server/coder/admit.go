// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"errors"
)

// self is the key of the caller's own user.
const self = "me"

// admit returns the user that a call addresses, if the caller may run the operation on
// the user's secrets. A caller who may see none of a user's secrets gets the same
// answer whether the user exists or not, and after the same work: the same checks of
// rights, and one lookup past the cache.
func (h *Handler) admit(op *operation, c *call, caller string) error {
	ctx := c.r.Context()
	t, err := h.config.Directory.User(ctx, caller, c.target.user)
	unknown := errors.Is(err, ErrUnknownUser)
	switch {
	case unknown && c.target.user == self:
		return errNobody
	case err != nil && !unknown:
		return err
	}
	allowed, err := h.config.Authorizer.Allowed(ctx, op.verb, t)
	if err != nil {
		return err
	}
	if allowed && !unknown {
		c.tenant = t
		return nil
	}
	visible := allowed
	for _, verb := range []string{"get", "list"} {
		if !visible && verb != op.verb {
			if visible, err = h.config.Authorizer.Allowed(ctx, verb, t); err != nil {
				return err
			}
		}
	}
	switch {
	case unknown:
		return errNoAccess
	case visible && op.sight:
		c.tenant = t
		return nil
	case visible:
		return errForbidden
	}
	if err := h.config.Directory.Refresh(ctx); err != nil {
		return err
	}
	return errNoAccess
}
