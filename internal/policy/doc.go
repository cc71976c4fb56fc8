// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package policy decides what a tenant may have: whether a change conflicts with
// another object of the tenant, or exceeds the limits. Admission, the store and the
// controllers use it, so that all three give the same answer. Below it, package claim
// decides which object holds a claim, package limits has the limits, and package rules
// has the rules of each field. Pure: objects in, verdicts out.
package policy
