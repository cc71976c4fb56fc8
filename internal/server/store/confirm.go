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

// The guarantee: of writes that claim the same, or that together exceed a limit, at
// most one is acknowledged, and nothing of the others remains. Writes of one tenant
// through REST are serialized, because one replica is active and has a lock for each
// tenant. Other writes, as by kubectl, are not. So a request checks the tenant again
// once the cache has its own write: of two competing writes, the first one stays. See
// docs/decisions.

// asOf returns a secret with what it claimed before a version, if it existed then.
func asOf(s policy.Secret, version uint64) (policy.Secret, bool) {
	later := func(c claim.Claim) bool { return parseVersion(s.Since(c)) >= version }
	if len(s.Claims) == 0 || later(s.Claims[0]) {
		return policy.Secret{}, false
	}
	s.Claims = slices.DeleteFunc(slices.Clone(s.Claims), later)
	return s, true
}

// check checks changes against the cache before anything is written.
func (c *core) check(ctx context.Context, namespace string, changes []policy.Change) error {
	all, err := c.cached(ctx, namespace)
	if err != nil {
		return fmt.Errorf("%w: list %ss: %w", ErrUnavailable, c.kind, err)
	}
	return c.judge(changes, all)
}

// judge checks changes against a tenant's other objects.
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

// errUnjudged reports that a write could not be checked afterwards. It may be valid,
// and others may have read it already. So it is not undone, and the client does not
// learn its outcome.
var errUnjudged = errors.New("written, but it is unknown whether the write may stay")

// unlessUnjudged undoes a write for the reason err, unless that is errUnjudged. If the
// write cannot be undone, it may still be stored, so the client is not told that the
// write was refused.
func unlessUnjudged(err error, undo func() error) error {
	if errors.Is(err, errUnjudged) {
		return err
	}
	if failed := undo(); failed != nil {
		return fmt.Errorf("%w: it may still be there, although %v: %w", ErrUnavailable, err, failed) //nolint:errorlint // that it was refused is not the answer
	}
	return err
}

// confirm decides, after changes were written, whether they may stay. version is the
// resourceVersion of the last write. The error is errUnjudged if that could not be
// decided.
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
