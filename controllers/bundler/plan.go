// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// plan is the intended state of one bundle.
type plan struct {
	// entries are the digests of all its entries; empty if the bundle should not exist.
	entries bundle.Digests
	// values are those of entries that it does not hold.
	values map[string]seal.Value
	// mac and layout are its annotations; layout is "" if it has none.
	mac, layout string
	// record describes how the entries were made, and text is it as it is stored.
	record *bundle.Record
	text   string
}

// plan lays the values out, fetches those that the bundles do not have, and computes
// the intended state of the bundles. A fetched value can differ from what was known, so
// the layout is repeated until no value is missing. No object is fetched twice.
func (r *Reconciler) plan(ctx context.Context, s *scope) error {
	byUID := make(map[types.UID]*bundle.Decision, len(s.decisions))
	for i := range s.decisions {
		byUID[s.decisions[i].Item.UID] = &s.decisions[i]
	}
	for again := true; again; {
		s.laid = r.Adapter.Lay(s.decisions, s.known)
		s.setback = r.resting(s)
		var err error
		if again, err = r.fill(ctx, s, byUID); err != nil {
			return err
		}
	}
	s.plans = map[string]*plan{}
	for _, name := range r.Adapter.bundles() {
		if s.setback.failed(name) {
			continue
		}
		p, err := r.planOf(s, name)
		if err != nil {
			return err
		}
		s.plans[name] = p
	}
	return nil
}

// fill fetches the values that the bundles should have but do not, and reports whether
// it fetched any.
func (r *Reconciler) fill(ctx context.Context, s *scope, byUID map[types.UID]*bundle.Decision) (bool, error) {
	fetched := false
	for _, name := range r.Adapter.bundles() {
		if s.setback.failed(name) {
			continue // too early to try again, so its values are not needed
		}
		owners := r.contents(s, name).Owners
		lacks := map[string]bool{}
		for key, uid := range owners {
			if uid != "" && !r.intact(s, name, key, uid) {
				lacks[key] = true
			}
		}
		s.lacks[name] = lacks
		for _, key := range slices.Sorted(maps.Keys(lacks)) {
			uid := owners[key]
			if _, has := s.hand[uid]; has {
				continue
			}
			if err := r.fetch(ctx, s, byUID[uid]); err != nil {
				return false, err
			}
			fetched = true
		}
	}
	if fetched || len(s.laid.Tree) == 0 || s.setback.failed(r.Adapter.FilesBundle) {
		return fetched, nil
	}
	return r.fillDocument(ctx, s)
}

// intact reports whether a bundle has an entry as it should be.
func (r *Reconciler) intact(s *scope, name, key string, owner types.UID) bool {
	made, ok := s.records[name].Get(key)
	if !ok || !holds(s.existing[name], key, made.Digest) {
		return false
	}
	// An entry made from the object's current state remains valid when it must be
	// retained.
	return made.Input == s.inputs[owner] || made.Input == r.wants(s, owner)
}

// fillDocument makes sure that the values of the typed document are at hand, if the
// document must be made again. The bundle has most of them, each as a file, so one read
// of it replaces opening them all. A value that is not there, or was changed there, is
// opened.
func (r *Reconciler) fillDocument(ctx context.Context, s *scope) (fetched bool, err error) {
	name := r.Adapter.FilesBundle
	entries := r.entries(s, name)
	made, ok := s.records[name].Get(bundle.TreeKey)
	if ok && made.Input == bundle.TreeInput(r.DigestKey, s.namespace, s.laid.Tree, entries) && holds(s.existing[name], bundle.TreeKey, made.Digest) {
		return false, nil
	}
	for _, d := range s.laid.Tree {
		if _, has := s.hand[d.Item.UID]; has {
			continue
		}
		live, err := r.readLive(ctx, s, name)
		if err != nil {
			return false, err
		}
		if live != nil && r.verified(s, live, d.Outcome.File.Key) {
			continue // planDocument takes it from there
		}
		if err := r.fetch(ctx, s, d); err != nil {
			return false, err
		}
		fetched = true
	}
	return fetched, nil
}

// entries returns the digests of what a bundle should contain, without the typed
// document.
func (r *Reconciler) entries(s *scope, name string) bundle.Digests {
	owners := r.contents(s, name).Owners
	out := make(bundle.Digests, len(owners))
	for key, uid := range owners {
		if uid == "" {
			continue
		}
		if made, ok := s.records[name].Get(key); ok && !s.lacks[name][key] {
			out[key] = made.Digest
			continue
		}
		out[key] = bundle.EntryDigest(r.DigestKey, s.namespace, name, key, s.hand[uid].Entry.Reveal())
	}
	return out
}

// planOf computes the intended state of a bundle. All values that the bundle lacks are
// in s.hand, and those of the document there or in s.live.
func (r *Reconciler) planOf(s *scope, name string) (*plan, error) {
	c := r.contents(s, name)
	p := &plan{values: map[string]seal.Value{}, record: s.records[name].Next()}
	if len(c.Owners) == 0 {
		return p, nil
	}
	p.entries = r.entries(s, name)
	sent := r.sentAt(s)
	for key, d := range p.entries {
		made, ok := s.records[name].Get(key)
		if !ok || s.lacks[name][key] {
			uid := c.Owners[key]
			made = r.made(s, name, key, bundle.Made{Input: r.wants(s, uid), Digest: d, Since: sent, Shape: s.known[uid].Shape})
			p.values[key] = s.hand[uid].Entry
		}
		p.record.Put(key, made)
	}
	if len(s.laid.Tree) > 0 && name == r.Adapter.FilesBundle {
		if err := r.planDocument(s, p, bundle.Made{Since: sent}); err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(p.values, func(key string, _ seal.Value) bool { return holds(s.existing[name], key, p.entries[key]) })
	p.text = p.record.String()
	p.layout = bundle.Layout(r.DigestKey, s.namespace, name, c.Paths)
	p.mac = bundle.MAC(r.DigestKey, s.namespace, name, p.entries, p.layout)
	return p, nil
}

// made describes how an entry was made, as is says. An entry that the bundle has
// already keeps its time.
func (r *Reconciler) made(s *scope, name, key string, is bundle.Made) bundle.Made {
	if before, ok := s.records[name].Get(key); ok && before.Digest == is.Digest && holds(s.existing[name], key, is.Digest) {
		is.Since = before.Since
	}
	return is
}

func (r *Reconciler) planDocument(s *scope, p *plan, is bundle.Made) error {
	name := r.Adapter.FilesBundle
	is.Input = bundle.TreeInput(r.DigestKey, s.namespace, s.laid.Tree, p.entries)
	if made, ok := s.records[name].Get(bundle.TreeKey); ok && made.Input == is.Input && holds(s.existing[name], bundle.TreeKey, made.Digest) {
		p.entries[bundle.TreeKey] = made.Digest
		p.record.Put(bundle.TreeKey, made)
		return nil
	}
	doc, err := bundle.Document(s.laid.Tree, func(d *bundle.Decision) []byte {
		if printed, has := s.hand[d.Item.UID]; has {
			return printed.Doc.Reveal()
		}
		return bundle.DocumentedAs(d.Item, s.live[name].Data[d.Outcome.File.Key])
	})
	if err != nil {
		return fmt.Errorf("namespace %s: %w", s.namespace, err)
	}
	is.Digest = bundle.EntryDigest(r.DigestKey, s.namespace, name, bundle.TreeKey, doc.Reveal())
	p.entries[bundle.TreeKey], p.values[bundle.TreeKey] = is.Digest, doc
	p.record.Put(bundle.TreeKey, r.made(s, name, bundle.TreeKey, is))
	return nil
}

// wanted returns a digest of what a bundle should contain, as far as it is known
// without values. If it differs from the last one, a bundle that could not be written
// is tried again.
func (r *Reconciler) wanted(s *scope, name string) digest.Short {
	c := r.contents(s, name)
	p := r.DigestKey.Parts(digest.PurposeInput, s.namespace)
	p.Text("wanted", name, bundle.Layout(r.DigestKey, s.namespace, name, c.Paths))
	for _, key := range slices.Sorted(maps.Keys(c.Owners)) {
		input := r.wants(s, c.Owners[key])
		p.Text(key)
		p.Bytes(input[:])
	}
	return p.Short()
}
