// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"context"
	"math"

	"k8s.io/klog/v2"

	"github.com/latchkey-dev/latchkey/internal/server/store"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

func (h *Handler) create(c *call) (any, error) {
	e, refusal := h.environment(c)
	text, err := readBody(c, refusal)
	if err != nil {
		return nil, err
	}
	body, err := decodeCreate(text)
	if err := firstOf(err, refusal); err != nil {
		return nil, err
	}
	n, err := h.checkNew(c.ctx(), body)
	if err != nil {
		return nil, err
	}
	c.path = n.Path
	reveal := false
	if n.Value != nil {
		// The object has no name yet to which a right could be limited.
		if reveal, err = h.config.Authorizer.MayReveal(c.ctx(), e, ""); err != nil {
			return nil, err
		}
	}
	created, err := h.config.Secrets.Create(c.ctx(), e, n)
	if err != nil {
		return nil, err
	}
	if reveal {
		return view(created, n.Value.Reveal()), nil
	}
	return view(created, nil), nil
}

// firstOf returns the first non-nil error.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkNew parses and checks the type and the value of a secret to create.
func (h *Handler) checkNew(ctx context.Context, body createBody) (NewSecret, error) {
	t, err := typedvalue.ParseType(body.secretType)
	if err != nil {
		return NewSecret{}, invalidRequest(err.Error())
	}
	n := NewSecret{Path: body.path, Type: t}
	if body.secretValue != nil {
		value, err := h.check(ctx, t, body.secretValue)
		if err != nil {
			return NewSecret{}, err
		}
		n.Value = &value
	}
	return n, nil
}

func (h *Handler) update(c *call) (any, error) {
	s, refusal := h.secret(c)
	text, err := readBody(c, refusal)
	if err != nil {
		return nil, err
	}
	body, err := decodeUpdate(text)
	if err := firstOf(err, refusal); err != nil {
		return nil, err
	}
	change := Change{Op: body.op}
	if change.Revision, err = storedRevision(body.revision); err != nil {
		return nil, err
	}
	if change.Op == Set {
		if change.Value, err = h.check(c.ctx(), s.Type, body.value); err != nil {
			if s.Revision != change.Revision {
				return nil, store.ErrRevision // takes precedence over errors of the value
			}
			return nil, err
		}
	}
	reveal := false
	if change.Op != Unset {
		if reveal, err = h.config.Authorizer.MayReveal(c.ctx(), s.Environment, s.Object); err != nil {
			return nil, err
		}
	}
	if reveal && change.Op == Keep && s.Revision == change.Revision {
		return h.keepValue(c, s, change)
	}
	updated, err := h.config.Secrets.Update(c.ctx(), s, change)
	if err != nil {
		return nil, err
	}
	if reveal && change.Op == Set {
		return view(updated, change.Value.Reveal()), nil
	}
	return h.show(c.ctx(), updated, reveal)
}

// keepValue raises the revision and leaves the value. It opens the value before it
// writes: a value that cannot be opened is an error, and an error must change nothing.
func (h *Handler) keepValue(c *call, s Secret, change Change) (any, error) {
	shown, err := h.show(c.ctx(), s, true)
	if err != nil {
		return nil, err
	}
	updated, err := h.config.Secrets.Update(c.ctx(), s, change)
	if err != nil {
		return nil, err
	}
	return view(updated, shown.SecretValue), nil
}

func (h *Handler) remove(c *call) (any, error) {
	given, err := queryRevision(c.r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	s, err := h.secret(c)
	if err != nil {
		return nil, err
	}
	revision, err := storedRevision(given)
	if err != nil {
		return nil, err
	}
	reveal, err := h.config.Authorizer.MayReveal(c.ctx(), s.Environment, s.Object)
	if err != nil {
		return nil, err
	}
	deleted, err := h.config.Secrets.Delete(c.ctx(), s, revision)
	if err != nil {
		return nil, err
	}
	deleted.Revision++ // the deletion counts as a change
	shown, err := h.show(c.ctx(), deleted, reveal)
	if err != nil {
		// Secrets that cannot be opened are removed by deletion, so the deletion must
		// not fail because of that.
		klog.FromContext(c.ctx()).Error(err, "Value of a deleted agent secret is not shown",
			"namespace", s.Environment.Namespace, "name", s.Object)
		return view(deleted, nil), nil
	}
	return shown, nil
}

// storedRevision returns a revision in the store's type. Larger ones are well-formed,
// but no secret reaches them.
func storedRevision(revision uint64) (int64, error) {
	if revision > math.MaxInt64 {
		return 0, store.ErrRevision
	}
	return int64(revision), nil
}
