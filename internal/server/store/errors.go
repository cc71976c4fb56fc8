// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package store owns the reads and writes of tenants' secrets: it keeps them in
// the custom resources and gives the REST dialects their guarantees, unique
// claims, limits and revisions, which hold under concurrency and across
// replicas.
package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
)

// What a read or write of a tenant's secrets can end in, beside success. The
// REST dialects map these to answers, each in its own words; every other error
// is a fault of the server. Compare with [errors.Is] and [errors.As]. None
// carries a value.
var (
	// ErrNotFound says that the tenant has no secret of that name or path.
	ErrNotFound = errors.New("no such secret")

	// ErrRevision says that the secret is no longer at the revision that the
	// caller saw. Nothing was written; read it again and decide anew.
	ErrRevision = errors.New("the secret changed since it was read")

	// ErrSource says that the secret's value comes from a native Secret that the
	// caller may not get, so that they can neither turn it on nor redirect it.
	ErrSource = errors.New("the caller may not get the source of the secret's value")

	// ErrUnavailable says that the store cannot serve at the moment, though the
	// request is fine: the same request may succeed shortly. Wrap it around the
	// cause.
	ErrUnavailable = errors.New("the store is not available, try again")

	// ErrNoTenant says that the tenant's Namespace is gone.
	ErrNoTenant = errors.New("the tenant's Namespace is gone")

	// ErrTerminating says that the tenant's Namespace is being deleted, so that nothing
	// can be created in it.
	ErrTerminating = errors.New("the tenant's Namespace is being deleted")
)

// RefusedError says that the API server refused a write that is fine by all rules of
// Latchkey: by a quota, a policy, another webhook or a bound of its own.
type RefusedError struct {
	// What was tried, in our words, and the API server's reason or code. Its text may
	// quote the object, so it is not here.
	What, Reason string
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s: the API server refused it: %s", e.What, e.Reason)
}

// Conflict is one claim that another secret of the same tenant already holds.
type Conflict struct {
	// Index is the place of the refused secret in the request: 0 for a single
	// one.
	Index int
	// Claim is the kind of what both claim.
	Claim v1alpha1.ClaimKind
}

// ConflictError says that a write was refused, as a whole, because other
// secrets of the tenant hold what it claims. There is at least one conflict.
//
// A write that both conflicts and exceeds a limit is refused with both errors
// joined ([errors.Join]) where the store knows both, since the dialects differ
// in which of the two they tell.
type ConflictError struct {
	// Conflicts are ordered by index, then name or path, variable, file.
	Conflicts []Conflict
}

// Error implements error.
func (e *ConflictError) Error() string {
	claims := make([]string, 0, len(e.Conflicts))
	for _, c := range e.Conflicts {
		claims = append(claims, fmt.Sprintf("%s of secret %d", claim.WordsOf(c.Claim).Noun, c.Index))
	}
	return "already in use: " + strings.Join(claims, ", ")
}
