// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregation

// Unregistered is the gauge, which outlives a reconciler here, as it does not elsewhere.
var Unregistered = unregistered
