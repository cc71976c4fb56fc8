// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

// CanaryForms returns the forms in which a value may be stored: as it is, inside JSON (with
// and without HTML escapes), and inside base64, at each of the three offsets at which it
// can begin.
func CanaryForms(value string) [][]byte {
	forms := [][]byte{[]byte(value)}
	for _, escapeHTML := range []bool{true, false} {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(escapeHTML)
		if err := encoder.Encode(value); err != nil {
			continue // a string always encodes
		}
		forms = append(forms, []byte(strings.Trim(strings.TrimSpace(text.String()), `"`)))
	}
	for offset := range 3 {
		padded := append(make([]byte, offset), value...)
		whole := len(padded) / 3 * 4 // characters that what follows cannot change
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString(padded)
			forms = append(forms, []byte(text[(offset*8+5)/6:whole]))
		}
	}
	slices.SortFunc(forms, bytes.Compare)
	return slices.CompactFunc(forms, bytes.Equal)
}
