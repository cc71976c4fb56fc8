// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package conformance runs the executable cases of the two REST contracts, the
// files in testdata, against a running Latchkey: on its own port and through the
// cluster's aggregation layer. The cases are the contracts'; this package only
// knows how to bring about the state that each starts from.
package conformance
