// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package bundle turns the secret objects of one tenant into the contents of its
// native Secrets. Pure: objects and opened values in, contents and outcomes out.
//
// It works in two steps, so that nothing is decrypted unless something changed.
// DecideUser and DecideAgent judge every object without its value: which object holds
// which claim, what is disabled, and what exceeds the limits. LayUser and LayAgent then
// decide which entries the bundles have. Input digests all that an entry depends on:
// while it stays the same, no value is opened. MAC digests contents with a key, so that
// caches and annotations can show changes without containing the contents.
package bundle
