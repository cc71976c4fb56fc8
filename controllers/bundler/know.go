// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// know determines what is known about the values that are needed. It opens those that
// are new or changed, which neither the bundles' records nor the memo describe.
func (r *Reconciler) know(ctx context.Context, s *scope) error {
	for i := range s.decisions {
		d := &s.decisions[i]
		if !d.Open {
			continue
		}
		input := bundle.Input(r.DigestKey, s.namespace, d.Item, s.sources[d.Item.UID])
		s.inputs[d.Item.UID] = input
		known, ok := s.before.recall(d.Item.UID, input)
		if !ok {
			var err error
			if known, ok, err = r.recorded(ctx, s, d); err != nil {
				return err
			}
		}
		if ok {
			s.known[d.Item.UID] = known
			continue
		}
		if err := r.fetch(ctx, s, d); err != nil {
			return err
		}
	}
	return nil
}

// recorded returns what the records say about a value, and false if the value must be
// fetched.
func (r *Reconciler) recorded(ctx context.Context, s *scope, d *bundle.Decision) (bundle.Known, bool, error) {
	shape, kept, ok := r.entryOf(s, d)
	if !ok {
		return bundle.Known{}, false, nil
	}
	if ref := d.Item.Source; ref != nil {
		if !kept {
			return bundle.Known{Shape: shape}, true, nil
		}
		failure := bundle.SourceNotFound(*ref, s.sources[d.Item.UID] != "")
		return bundle.Known{Shape: shape, Failure: &failure, Kept: true}, r.keeps(failure.Reason), nil
	}
	known, err := r.Opener.Knows(ctx, d.Item.Sealed)
	if err != nil {
		return bundle.Known{}, false, fmt.Errorf("open %s %s: %w", r.Adapter.Kind, d.Item.Name, err)
	}
	if known {
		return bundle.Known{Shape: shape}, !kept, nil
	}
	failure := bundle.KeyNotFound(seal.KeyIDOf(d.Item.Sealed))
	return bundle.Known{Shape: shape, Failure: &failure, Kept: true}, true, nil
}

// entryOf returns the shape of an entry that was made, or retained, for the current
// state of an object.
func (r *Reconciler) entryOf(s *scope, d *bundle.Decision) (shape bundle.Shape, kept, ok bool) {
	input := s.inputs[d.Item.UID]
	for _, at := range []*v1alpha1.Landing{d.Outcome.Env, d.Outcome.File} {
		if at == nil {
			continue
		}
		made, has := s.records[at.SecretName].Get(at.Key)
		switch {
		case !has:
		case made.Input == input:
			return made.Shape, false, true
		case made.Input == bundle.KeptInput(r.DigestKey, s.namespace, input):
			shape, kept, ok = made.Shape, true, true
		}
	}
	return shape, kept, ok
}

// wants returns the input that an object's entries should have.
func (r *Reconciler) wants(s *scope, owner types.UID) digest.Short {
	input := s.inputs[owner]
	if s.known[owner].Kept {
		return bundle.KeptInput(r.DigestKey, s.namespace, input)
	}
	return input
}

// fetch gets the value of an object: it opens it, reads its source, or takes it from
// the bundles.
func (r *Reconciler) fetch(ctx context.Context, s *scope, d *bundle.Decision) error {
	uid := d.Item.UID
	if known := s.known[uid]; known.Kept {
		return r.fetchKept(ctx, s, d, *known.Failure)
	}
	value, failure, err := r.value(ctx, s, d.Item)
	if err != nil {
		return err
	}
	if failure != nil && r.keeps(failure.Reason) {
		return r.fetchKept(ctx, s, d, *failure)
	}
	if failure == nil {
		var printed bundle.Printed
		if printed, failure = r.Adapter.Print(d.Item, value); failure == nil {
			s.hand[uid] = printed
		}
	}
	s.known[uid] = bundle.Known{Shape: s.hand[uid].Shape, Failure: failure}
	return nil
}

// fetchKept takes the value of an object from the bundles, because it is unavailable
// elsewhere.
func (r *Reconciler) fetchKept(ctx context.Context, s *scope, d *bundle.Decision, failure bundle.Outcome) error {
	known := bundle.Known{Failure: &failure}
	value, ok, err := r.keptValue(ctx, s, d)
	if err != nil {
		return err
	}
	if ok {
		printed, invalid := r.Adapter.Reprint(d.Item, value)
		if invalid != nil {
			known.Failure = invalid
		} else {
			known.Shape, known.Kept = printed.Shape, true
			s.hand[d.Item.UID] = printed
		}
	}
	s.known[d.Item.UID] = known
	return nil
}
