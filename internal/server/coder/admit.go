// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"context"
	"errors"

	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
)

// admit returns the user that a call addresses, if the caller may run the operation on
// the user's secrets. A caller who may see none of a user's secrets gets the same
// answer whether the user exists or not, and after the same work: the same checks of
// rights, and one lookup past the cache.
func (h *Handler) admit(op *operation, c *call, caller string) error {
	ctx := c.r.Context()
	t, err := h.config.Directory.User(ctx, caller, c.target.user)
	unknown := errors.Is(err, directory.ErrUnknown)
	switch {
	case unknown && c.target.user == directory.Self:
		return errNobody
	case err != nil && !unknown:
		return err
	case !unknown:
		requests.Audited(ctx, requests.AuditTenant, t.Namespace)
	}
	allowed, err := h.allowed(ctx, op.verb, t)
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
			if visible, err = h.allowed(ctx, verb, t); err != nil {
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

// allowed reports whether the caller may use verb on the secrets of t. Users may do
// everything with their own secrets; for all others, the cluster's RBAC decides.
func (h *Handler) allowed(ctx context.Context, verb string, t directory.Tenant) (bool, error) {
	if t.Own {
		return true, nil
	}
	return h.config.Access.UserSecrets(ctx, verb, t.Namespace)
}
