// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package requests has what the REST dialects share for serving one request: it splits the
// path, finds the operation of a method, reads the body whole, in memory that all requests
// share, limits how many requests are served at once, writes the answer whole, and
// distinguishes an outage from a fault. It knows no dialect's texts, reads nothing but the
// body and stores nothing.
package requests
