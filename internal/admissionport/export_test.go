// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionport

import "github.com/latchkey-dev/latchkey/internal/seal"

// Knowing returns paths that honour a segment.
func Knowing(segment seal.Value) *Paths {
	p := &Paths{}
	p.set(State{Current: segment}.Data())
	return p
}
