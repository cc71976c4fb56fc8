// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
)

// The guarantee: of writes that claim the same, or that together exceed a limit, at most
// one is acknowledged, and nothing of the others remains. Writes of one tenant come one
// after the other, since one replica is active and has a lock for each tenant. What does
// not come through REST, as by kubectl, is not ordered by the lock. So a request looks at
// the tenant once more when its cache has come to its own write: of the two, who wrote
// first stays. See docs/decisions.

// asOf returns a secret with what it claimed before a version, if it was there.
func asOf(s policy.Secret, version uint64) (policy.Secret, bool) {
	later := func(c claim.Claim) bool { return parseVersion(s.Since(c)) >= version }
	if len(s.Claims) == 0 || later(s.Claims[0]) {
		return policy.Secret{}, false
	}
	s.Claims = slices.DeleteFunc(slices.Clone(s.Claims), later)
	return s, true
}

// check judges changes against the cache, before anything is written.
func (c *core) check(ctx context.Context, namespace string, changes []policy.Change) error {
	all, err := c.cached(ctx, namespace)
	if err != nil {
		return fmt.Errorf("%w: list %ss: %w", ErrUnavailable, c.kind, err)
	}
	return c.judge(changes, all)
}

// judge compares changes with a tenant's objects, their own left out.
func (c *core) judge(changes []policy.Change, all []policy.Secret) error {
	own := map[types.UID]bool{}
	for _, p := range changes {
		own[p.UID] = p.UID != ""
	}
	others := slices.DeleteFunc(slices.Clone(all), func(s policy.Secret) bool { return own[s.UID] })
	verdict := policy.Judge(changes, others, c.limit)
	var conflicts []Conflict
	for _, found := range verdict.Conflicts {
		if c.unique(found.Claim.Kind) {
			conflicts = append(conflicts, Conflict{Index: found.Index, Claim: found.Claim.Kind})
		}
	}
	var errs []error
	if len(conflicts) > 0 {
		errs = append(errs, &ConflictError{Conflicts: conflicts})
	}
	if verdict.Excess != nil {
		errs = append(errs, verdict.Excess)
	}
	return errors.Join(errs...)
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

// confirm decides, after changes were written, whether they may stay. Version is
// the resourceVersion of the last write. The error is errUnjudged where it could not.
func (c *core) confirm(ctx context.Context, namespace string, changes []policy.Change, version string) error {
	written := parseVersion(version)
	if err := c.waitForCache(ctx, Mark{Namespace: namespace, Version: written}); err != nil {
		return fmt.Errorf("%w: %w", errUnjudged, err)
	}
	all, err := c.cached(ctx, namespace)
	if err != nil {
		return fmt.Errorf("%w: %w: list %ss: %w", errUnjudged, ErrUnavailable, c.kind, err)
	}
	before := make([]policy.Secret, 0, len(all))
	for _, r := range all {
		if was, there := asOf(r, written); there {
			before = append(before, was)
		}
	}
	return c.judge(changes, before)
}
