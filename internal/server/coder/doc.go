// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package coder is the user-secrets REST dialect: the paths, bodies, rules and
// words that a Coder client expects of /api/v2/users/{user}/secrets. The source
// is the user-secrets REST contract; its vectors are run against this package.
//
// It owns everything between an authenticated request and the store: routing,
// reading bodies, the file formats of an import, the order of the checks and
// the mapping of errors to answers. Who a user is, what a caller may do and
// where secrets are kept come through [Directory], [Authorizer] and [Secrets].
// It reads the caller from the request's context, where the server's
// authentication put it, and keeps nothing between requests.
//
// # Order of the checks
//
// Every request is taken through the same steps: route (404, 405), user (400),
// authorisation (403, or 404 where one secret is addressed), body (413, 400),
// field rules (400), store (404, 400, 409). Authorisation stands before the
// body is even read and before anything is loaded: a caller without the right
// learns neither from the answer nor from the work done for it whether another
// user's secret exists, and costs no more than a look-up.
//
// # Values
//
// A value travels inward only. [Secret], the one type that is ever answered,
// has no field for it, and no message of this package repeats what was sent as
// a value, not even where a decoder of the standard library would.
package coder
