// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux && !darwin

package cli

// maxTyped is a line that every console gives whole.
const maxTyped = 4095

// echoOff leaves it to the read of the value.
func echoOff(int) error { return nil }

// moreTyped does not look.
func moreTyped(int) bool { return false }
