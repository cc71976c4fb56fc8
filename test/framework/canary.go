// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import "encoding/base64"

// CanaryForms returns the forms in which a canary may lie somewhere: as it is, and
// within base64, at any of the three offsets at which it can begin there.
func CanaryForms(canary string) [][]byte {
	forms := [][]byte{[]byte(canary)}
	for offset := range 3 {
		padded := append(make([]byte, offset), canary...)
		text := base64.RawStdEncoding.EncodeToString(padded[:len(padded)/3*3]) // what follows cannot change this much
		forms = append(forms, []byte(text[(offset*8+5)/6:]))
	}
	return forms
}
