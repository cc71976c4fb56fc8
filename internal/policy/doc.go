// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package policy judges what a tenant may have: whether a change takes what another
// object of the tenant holds, or more than the limits leave room for. Admission, the
// store and the controllers ask it, so that all three give the same answer. Below it,
// package claim says who holds what, package limits what the limits are, and package
// rules what each field may hold. Pure: objects in, verdicts out.
package policy
