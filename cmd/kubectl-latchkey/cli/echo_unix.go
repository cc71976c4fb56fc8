// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package cli

import (
	"errors"

	"golang.org/x/sys/unix"
)

// echoOff has a terminal show nothing of what is typed.
func echoOff(fd int) error {
	state, err := unix.IoctlGetTermios(fd, readTerminal)
	if err != nil {
		return err
	}
	state.Lflag &^= unix.ECHO
	return unix.IoctlSetTermios(fd, writeTerminal, state)
}

// pasted is within how many milliseconds the next line of a paste is there.
const pasted = 50

// moreTyped reports whether more came than the line that was read, as when a text of several
// lines is pasted. It drops that: the shell would run it, and show it.
func moreTyped(fd int) bool {
	state, err := unix.IoctlGetTermios(fd, readTerminal)
	if err != nil {
		return false
	}
	state.Lflag &^= unix.ICANON // a line without an end counts too
	if unix.IoctlSetTermios(fd, writeTerminal, state) != nil {
		return false
	}
	more := false
	for {
		ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // a file descriptor
		if n, err := unix.Poll(ready, pasted); n == 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return more
		} else if err != nil {
			continue
		}
		if ready[0].Revents&unix.POLLIN == 0 || unix.IoctlSetTermios(fd, flushTerminal, state) != nil {
			return more // the terminal is gone
		}
		more = true
	}
}
