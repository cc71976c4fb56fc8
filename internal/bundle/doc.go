// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package bundle turns the secret objects of one tenant into the contents of its
// native Secrets. Pure: objects and opened values in, contents and outcomes out.
//
// It works in two steps, so that nothing is decrypted unless something changed.
// DecideUser and DecideAgent judge every object without its value: who holds what,
// what is disabled, what the limits leave room for. FillUser and FillAgent take the
// values of the objects to be projected and lay them out. Inputs digests all that
// the contents depend on: while it stays the same, no value need be opened. MAC
// digests contents under a key, so that caches and annotations can tell whether
// they changed without holding them.
package bundle
