// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package active

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// SystemClock is CLOCK_BOOTTIME. Unlike Go's monotonic time, it also runs while the
// machine is suspended.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return math.MaxInt64 // without a readable clock, no lease is valid
	}
	return time.Duration(t.Nano())
}
