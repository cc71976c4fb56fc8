// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package agentpath owns the paths of agent secrets: the canonical form of their
// segments, lower camel case by the rules of the contract, the bounds of a path, and the
// name of the variable that is made from it. It is pure.
package agentpath
