// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"encoding/json"
	"math"
	"strconv"
)

// PrintRaw returns a value as it is written to a file or a variable of its
// own: the text of a Str as it is, everything else as canonical JSON.
// canonical is what Check printed for t.
func PrintRaw(t *Type, canonical []byte) []byte {
	if t.kind != kindStr {
		return canonical
	}
	var text string
	if err := json.Unmarshal(canonical, &text); err != nil {
		return canonical
	}
	return []byte(text)
}

// ParseRaw returns the canonical value that PrintRaw has written for t. It does not
// check it: raw may come from where others can write.
func ParseRaw(t *Type, raw []byte) []byte {
	if t.kind != kindStr {
		return raw
	}
	return AppendQuoted(make([]byte, 0, len(raw)+2), raw)
}

// appendFloat prints the shortest decimal that reads as f, always with a point
// or an exponent, so that every reader takes it for a float.
func appendFloat(out []byte, f float64) []byte {
	size := math.Abs(f)
	if size != 0 && (size < 1e-5 || size >= 1e16) {
		start := len(out)
		out = strconv.AppendFloat(out, f, 'e', -1, 64)
		// 1e-07 becomes 1e-7.
		if n := len(out); n-start >= 4 && out[n-4] == 'e' && out[n-2] == '0' {
			out[n-2] = out[n-1]
			out = out[:n-1]
		}
		return out
	}
	out = strconv.AppendFloat(out, f, 'f', -1, 64)
	if f == math.Trunc(f) {
		out = append(out, ".0"...)
	}
	return out
}

// AppendQuoted appends a text as a JSON string. It escapes only what JSON requires, in the
// shortest form, so that no text grows when it is read and printed again. Bytes that are
// not Unicode text stay, and Check refuses them.
func AppendQuoted[T string | []byte](out []byte, text T) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	done := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		out = append(out, text[done:i]...)
		done = i + 1
		switch c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\b':
			out = append(out, `\b`...)
		case '\f':
			out = append(out, `\f`...)
		case '\n':
			out = append(out, `\n`...)
		case '\r':
			out = append(out, `\r`...)
		case '\t':
			out = append(out, `\t`...)
		default:
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	out = append(out, text[done:]...)
	return append(out, '"')
}
