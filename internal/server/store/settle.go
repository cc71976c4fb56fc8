// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

// The guarantee: of writes that claim the same, or that together exceed a limit, at most
// one is acknowledged, and nothing of the others remains. Writes of one tenant come one
// after the other, since one replica is active and has a lock for each tenant. What does
// not come through REST, as by kubectl, is not ordered by the lock. So a request looks at
// the tenant once more when its cache has come to its own write: of the two, who wrote
// first stays. See docs/decisions.

// record is an object, reduced to what is judged.
type record struct {
	uid      types.UID
	claimant claim.Claimant
	use      limits.Use
}

func userRecord(u *v1alpha1.UserSecret) record {
	return record{uid: u.UID, claimant: claim.OfUser(u), use: bundle.UserUse(u)}
}

func agentRecord(a *v1alpha1.AgentSecret) record {
	return record{uid: a.UID, claimant: claim.OfAgent(a), use: bundle.AgentUse(a)}
}

// proposal is an object as a request wants it to be.
type proposal struct {
	record
	// before is what the object was; nil for a new one. What it claimed already is
	// not judged again, and one that does not grow cannot exceed a limit.
	before *record
}

// asOf returns r with what it claimed before a version, if it was there.
func (r record) asOf(version uint64) (record, bool) {
	later := func(c claim.Claim) bool { return parseVersion(r.claimant.Since(c)) >= version }
	if len(r.claimant.Claims) == 0 || later(r.claimant.Claims[0]) {
		return record{}, false
	}
	r.claimant.Claims = slices.DeleteFunc(slices.Clone(r.claimant.Claims), later)
	return r, true
}

// check judges proposals against the cache, before anything is written.
func (c *core) check(ctx context.Context, namespace string, ps []proposal) error {
	all, err := c.cached(ctx, namespace)
	if err != nil {
		return fmt.Errorf("%w: list %ss: %w", ErrUnavailable, c.kind, err)
	}
	return c.judge(ps, all)
}

// judge compares proposals with a tenant's objects, their own left out.
func (c *core) judge(ps []proposal, all []record) error {
	own := map[types.UID]bool{}
	for _, p := range ps {
		own[p.uid] = p.uid != ""
	}
	others := slices.DeleteFunc(slices.Clone(all), func(r record) bool { return own[r.uid] })
	claimants := make([]claim.Claimant, 0, len(others))
	for _, r := range others {
		claimants = append(claimants, r.claimant)
	}
	table := claim.NewTable(claimants)
	taken := map[claim.Claim]bool{}
	var use limits.Use
	for _, r := range others {
		for _, cl := range r.claimant.Claims {
			taken[cl] = true
		}
		if table.Counts(r.claimant) {
			use = use.Add(r.use)
		}
	}
	was, is := use, use
	var conflicts []Conflict
	for i, p := range ps {
		for _, cl := range p.claimant.Claims {
			if taken[cl] && (p.before == nil || !p.before.claimant.Has(cl)) && c.unique(cl.Kind) {
				conflicts = append(conflicts, Conflict{Index: i, Field: claimFields[cl.Kind]})
			}
			taken[cl] = true
		}
		is = is.Add(p.use)
		if p.before != nil {
			was = was.Add(p.before.use)
		}
	}
	var errs []error
	if len(conflicts) > 0 {
		errs = append(errs, &ConflictError{Conflicts: conflicts})
	}
	if excess := c.limit(was, is); excess != nil {
		errs = append(errs, excess)
	}
	return errors.Join(errs...)
}

var claimFields = map[v1alpha1.ClaimKind]string{
	v1alpha1.ClaimName: FieldName,
	v1alpha1.ClaimPath: FieldName,
	v1alpha1.ClaimEnv:  FieldEnvName,
	v1alpha1.ClaimFile: FieldFilePath,
}

// errUnjudged says that nobody looked at what a write met. It may stay, and others may
// have read it already: it is not undone, and the client does not learn what became of it.
var errUnjudged = errors.New("written, and not known whether it may stay")

// unlessUnjudged undoes a write for the reason err.
func unlessUnjudged(err error, undo func() error) error {
	if errors.Is(err, errUnjudged) {
		return err
	}
	return errors.Join(err, undo())
}

// settle decides, after proposals were written, whether they may stay. Version is
// the resourceVersion of the last write. The error is errUnjudged where it could not.
func (c *core) settle(ctx context.Context, namespace string, ps []proposal, version string) error {
	written := parseVersion(version)
	if err := c.seenSoon(ctx, Mark{Namespace: namespace, Version: written}); err != nil {
		return fmt.Errorf("%w: %w", errUnjudged, err)
	}
	all, err := c.cached(ctx, namespace)
	if err != nil {
		return fmt.Errorf("%w: %w: list %ss: %w", errUnjudged, ErrUnavailable, c.kind, err)
	}
	before := make([]record, 0, len(all))
	for _, r := range all {
		if was, there := r.asOf(written); there {
			before = append(before, was)
		}
	}
	return c.judge(ps, before)
}
