// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package usage says which containers have a secret, and whether what they have may be an
// older value. It is pure: it reads pods as the API shows them, and the time of the last
// change, and no Secret.
//
// Two clocks are compared with that time: the API server's, which says when a pod was
// created, and the node's, which says when a container started. So there are allowances,
// and within them the answer is that nobody can be sure.
package usage
