// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package coder is the user-secrets REST dialect: the paths, bodies, rules and texts
// that a Coder client expects of /api/v2/users/{user}/secrets. The source is the
// user-secrets REST contract; its vectors are run against this package.
//
// It owns everything between an authenticated request and the store: routing, reading
// bodies, the file formats of an import, the order of the checks, and the mapping of
// errors to answers. Users, rights and stored secrets are behind [Directory],
// [Access] and [Secrets]. It reads the caller from the request's context, where the
// server's authentication put it, and stores nothing between requests.
//
// # Order of the checks
//
// Every request passes the same steps: route (404, 405), user (400), authorization
// (403, or 404 if it addresses one secret), body (413, 400), field rules (400), store
// (404, 400, 409). Authorization comes before the body is read and before anything is
// loaded. A caller without the right does not learn, from the answer or from the work
// that it takes, whether another user's secret exists, and costs only a lookup.
//
// # Values
//
// A value only travels inward. secret, the only type that is returned, has no field
// for it. No message of this package repeats what was sent as a value, even where a
// decoder of the standard library would.
package coder
