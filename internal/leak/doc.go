// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package leak finds a value in a text that more people may read than the value: an
// annotation, a label, a description. It is pure, and its work is linear in the text.
//
// It is for accidents, such as a deploy tool that keeps a copy of the manifest, not for
// people who hide what they know: there are always more encodings.
package leak
