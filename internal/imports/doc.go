// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package imports reads secrets files: text in one of three formats in, keys and
// values in the order of the file out. It owns the grammar of each format and the
// words that say where a file breaks it. It is pure, so that everything that imports
// a file takes it alike and refuses it in the same words.
//
// No error repeats a value. Keys are repeated: they are names. What a field of a
// secret may hold is left to package rules.
package imports
