// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package typedvalue is the agent type system: which types there are, which
// values a type takes, how a value is printed again, and how the path of a
// secret is brought into its one canonical form. It is pure: bytes in, bytes
// out.
//
// The rules come from the agent-secrets REST contract (sections Paths are
// canonicalised, Types, Values), whose vectors are tests of this package.
//
// Every input may be a secret. So errors and problems name the place and what is
// expected there, and never a part of a value.
package typedvalue
