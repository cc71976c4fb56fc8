// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package active lets one replica of the server answer REST at a time: the holder of a
// Lease. It owns who that is, for how long an answer may still leave, and the way of
// connections from the other replicas to the active one. It reads and writes the Lease
// and knows nothing of secrets.
//
// A holder may answer until validFor after the moment at which it began the last request
// that renewed the Lease. Others take the Lease leaseFor after they saw that renewal, which
// is later, so two replicas never answer at once. That rests on clocks that run equally
// fast, not on clocks that show the same time. See docs/decisions.
package active
