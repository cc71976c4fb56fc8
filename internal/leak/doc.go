// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package leak finds a value in a text that more people may read than the value: an
// annotation, a label, a description. It is pure, and its work is linear in the text.
//
// It finds accidents, such as the copy of a manifest that a deploy tool keeps. It does not
// stop people who hide a value on purpose: there are always more encodings.
package leak
