// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package active lets one replica of the server answer REST at a time: the holder of a
// Lease. It owns which replica that is, until when an answer may be sent, and how the
// other replicas forward connections to the active one. It reads and writes the Lease
// and knows nothing about secrets.
//
// A holder may answer for validFor, counted from the moment at which it began the last
// request that renewed the Lease. Other replicas wait for leaseFor after they saw that
// renewal, and so take the Lease later. Therefore two replicas never answer at once.
// This assumes that clocks run equally fast, not that they show the same time. See
// docs/decisions.
package active
