// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package active

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// SystemClock is CLOCK_BOOTTIME: unlike Go's monotonic time, it goes on while the machine
// is suspended.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return math.MaxInt64 // no lease is valid by a clock that cannot be read
	}
	return time.Duration(t.Nano())
}
