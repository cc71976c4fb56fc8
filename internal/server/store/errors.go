// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package store owns the reads and writes of tenants' secrets. It stores them in the
// custom resources and gives the REST dialects their guarantees: unique claims, limits
// and revisions, which hold under concurrency and across replicas.
package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
)

// The errors of a read or write of a tenant's secrets. Each REST dialect maps these to
// its own answers; every other error is an internal error. Compare with [errors.Is] and
// [errors.As]. None contains a value.
var (
	// ErrNotFound reports that the tenant has no secret of that name or path.
	ErrNotFound = errors.New("no such secret")

	// ErrRevision reports that the secret is no longer at the revision that the caller
	// saw. Nothing was written; read it again and decide again.
	ErrRevision = errors.New("the secret changed since it was read")

	// ErrSource reports that the secret's value comes from a native Secret that the
	// caller may not get, so the caller can neither enable nor redirect it.
	ErrSource = errors.New("the caller may not get the source of the secret's value")

	// ErrUnavailable reports that the request is valid but the store cannot serve it at
	// the moment: the same request may succeed shortly. Wrap it around the cause.
	ErrUnavailable = errors.New("the store is not available, try again")

	// ErrNoTenant reports that the tenant's Namespace does not exist.
	ErrNoTenant = errors.New("the tenant's Namespace is gone")

	// ErrTerminating reports that the tenant's Namespace is being deleted, so nothing
	// can be created in it.
	ErrTerminating = errors.New("the tenant's Namespace is being deleted")
)

// RefusedError reports that the API server refused a write that all rules of Latchkey
// allow: because of a quota, a policy, another webhook or a limit of its own.
type RefusedError struct {
	// What is the operation, in our words; Reason is the API server's reason or code.
	// Its message may quote the object, so it is not included.
	What, Reason string
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s: the API server refused it: %s", e.What, e.Reason)
}

// Conflict is one claim that another secret of the same tenant holds already.
type Conflict struct {
	// Index is the place of the refused secret in the request: 0 for a single secret.
	Index int
	// Claim is the kind of the claim.
	Claim v1alpha1.ClaimKind
}

// ConflictError reports that a write was refused as a whole, because other secrets of
// the tenant hold what it claims. It has at least one conflict.
//
// If the store knows that a write both conflicts and exceeds a limit, it returns both
// errors joined ([errors.Join]), because the dialects differ in which of the two they
// report.
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
