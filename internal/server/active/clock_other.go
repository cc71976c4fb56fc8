// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package active

import "time"

var start = time.Now()

// SystemClock is Go's monotonic time, for platforms on which no server runs.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Duration { return time.Since(start) }
