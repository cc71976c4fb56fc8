// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package active

import "time"

var start = time.Now()

// SystemClock is Go's monotonic time, for building where nobody runs a server.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Duration { return time.Since(start) }
