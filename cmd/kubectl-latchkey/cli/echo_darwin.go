// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import "golang.org/x/sys/unix"

const (
	readTerminal  = unix.TIOCGETA
	writeTerminal = unix.TIOCSETA
)
