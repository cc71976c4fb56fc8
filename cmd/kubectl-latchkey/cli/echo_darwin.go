// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import "golang.org/x/sys/unix"

const (
	readTerminal  = unix.TIOCGETA
	writeTerminal = unix.TIOCSETA
	flushTerminal = unix.TIOCSETAF

	// maxTyped is the longest line that a terminal gives, without its newline. The rest of a
	// longer one is dropped.
	maxTyped = 1023
)
