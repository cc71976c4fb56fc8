// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package cli

import "golang.org/x/sys/unix"

// echoOff has a terminal show nothing of what is typed.
func echoOff(fd int) error {
	state, err := unix.IoctlGetTermios(fd, readTerminal)
	if err != nil {
		return err
	}
	state.Lflag &^= unix.ECHO
	return unix.IoctlSetTermios(fd, writeTerminal, state)
}
