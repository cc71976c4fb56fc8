// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package active

import "time"

// Clock measures how much time has passed, including time in which the process was
// stopped or the machine was suspended.
type Clock interface {
	// Now returns the time since a moment that stays the same for as long as the process
	// runs.
	Now() time.Duration
}
