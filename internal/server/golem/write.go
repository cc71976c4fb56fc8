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
		if reveal, err = h.config.Access.RevealAgentSecret(c.ctx(), e.Namespace, ""); err != nil {
			return nil, err
		}
	}
	obj, err := h.config.Secrets.Create(c.ctx(), e.Namespace, n)
	if err != nil {
		return nil, err
	}
	audited(c.ctx(), obj)
	created := secret{object: obj, environment: e, typ: n.Type}
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
func (h *Handler) checkNew(ctx context.Context, body createBody) (store.NewAgent, error) {
	t, err := typedvalue.ParseType(body.secretType)
	if err != nil {
		return store.NewAgent{}, invalidRequest(err.Error())
	}
	n := store.NewAgent{Path: body.path, Type: t}
	if body.secretValue != nil {
		value, err := h.check(ctx, t, body.secretValue)
		if err != nil {
			return store.NewAgent{}, err
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
	revision, err := storedRevision(body.revision)
	if err != nil {
		return nil, err
	}
	change := store.AgentChange{Unset: body.unset}
	if body.set != nil {
		value, err := h.check(c.ctx(), s.typ, body.set)
		if err != nil {
			if s.object.Spec.Revision != revision {
				return nil, store.ErrRevision // takes precedence over errors of the value
			}
			return nil, err
		}
		change.Set = &value
	}
	reveal := false
	if !change.Unset {
		if reveal, err = h.mayReveal(c, s); err != nil {
			return nil, err
		}
	}
	var kept agentSecret
	keep := reveal && change.Set == nil && s.object.Spec.Revision == revision
	if keep {
		// A value that cannot be opened is an error, and an error must change nothing, so
		// it is opened before the write.
		if kept, err = h.show(c.ctx(), s, true); err != nil {
			return nil, err
		}
	}
	obj, err := h.config.Secrets.Update(c.ctx(), s.object, revision, change)
	if err != nil {
		return nil, err
	}
	updated, err := read(obj, s.environment) // kubectl may have changed the type
	if err != nil {
		return nil, err
	}
	switch {
	case keep:
		return view(updated, kept.SecretValue), nil
	case reveal && change.Set != nil:
		return view(updated, change.Set.Reveal()), nil
	}
	return h.show(c.ctx(), updated, reveal)
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
	reveal, err := h.mayReveal(c, s)
	if err != nil {
		return nil, err
	}
	last, err := h.config.Secrets.Delete(c.ctx(), s.object, revision)
	if err != nil {
		return nil, err
	}
	last = last.DeepCopy()
	deleted, err := read(last, s.environment)
	if err != nil {
		return nil, err
	}
	last.Spec.Revision++ // the deletion counts as a change
	shown, err := h.show(c.ctx(), deleted, reveal)
	if err != nil {
		// Secrets that cannot be opened are removed by deletion, so the deletion must
		// not fail because of that.
		klog.FromContext(c.ctx()).Error(err, "Value of a deleted agent secret is not shown",
			"namespace", last.Namespace, "name", last.Name)
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
