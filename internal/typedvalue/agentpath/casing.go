// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package agentpath

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// isAlphanumeric reports whether c has the property Alphabetic or is a number
// of any kind (Nd, Nl, No).
func isAlphanumeric(c rune) bool {
	if c < utf8.RuneSelf {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	return unicode.In(c, unicode.L, unicode.N, unicode.Other_Alphabetic)
}

// isLower reports whether c has the property Lowercase.
func isLower(c rune) bool {
	if c < utf8.RuneSelf {
		return 'a' <= c && c <= 'z'
	}
	return unicode.In(c, unicode.Ll, unicode.Other_Lowercase)
}

// isUpper reports whether c has the property Uppercase.
func isUpper(c rune) bool {
	if c < utf8.RuneSelf {
		return 'A' <= c && c <= 'Z'
	}
	return unicode.In(c, unicode.Lu, unicode.Other_Uppercase)
}

// appendLower adds the full lower-case mapping of c. Only İ has one of more
// than one character.
func appendLower(out []byte, c rune) []byte {
	if c == 'İ' {
		return append(out, "i\u0307"...)
	}
	return utf8.AppendRune(out, unicode.ToLower(c))
}

// appendUpper adds the full upper-case mapping of c, such as SS for ß.
func appendUpper(out []byte, c rune) []byte {
	if c < utf8.RuneSelf {
		return utf8.AppendRune(out, unicode.ToUpper(c))
	}
	return append(out, cases.Upper(language.Und).String(string(c))...)
}

// markedCapitals are the upper-case mappings that hold marks, such as J̌ for ǰ.
// Marks are not alphanumeric, so a canonical segment has them in these places
// only, and in the lower-case form of İ.
var markedCapitals = func() map[string]bool {
	const small = "\u01f0\u1e96\u1e97\u1e98\u1e99\u0390\u03b0" +
		"\u1f50\u1f52\u1f54\u1f56\u1fb6\u1fc6\u1fd2\u1fd3\u1fd6\u1fd7\u1fe2\u1fe3\u1fe4\u1fe6\u1fe7\u1ff6"
	capitals := make(map[string]bool)
	for _, c := range small {
		capitals[string(appendUpper(nil, c))] = true
	}
	return capitals
}()

// IsCanonical reports whether CanonicalSegment returns this segment for some
// input. Converting it again would not tell, since conversion is not
// idempotent: xYZ is canonical and becomes xYz.
//
// Any sequence of words is possible, with separators between them. So a segment is
// canonical if lower-casing does not change its first character, and every other
// character either continues a word, which lower-casing does not change, or is a capital
// that begins a word, which upper-casing does not change. Marks are allowed where case
// mapping makes them. (This accepts too much in one case: i̇ comes only from İ, which
// cannot follow every letter.)
func IsCanonical(segment string) bool {
	if segment == "" || !utf8.ValidString(segment) {
		return false
	}
	runes := []rune(segment)
	for i := 0; i < len(runes); i++ {
		c := runes[i]
		capital := i > 0 && isUpper(c) && unicode.ToUpper(c) == c
		if !isAlphanumeric(c) || !capital && unicode.ToLower(c) != c {
			return false
		}
		marks := 0
		for i+marks+1 < len(runes) && !isAlphanumeric(runes[i+marks+1]) {
			marks++
		}
		if marks == 0 {
			continue
		}
		marked := string(runes[i : i+marks+1])
		if marked != "i\u0307" && (!capital || !markedCapitals[marked]) {
			return false
		}
		i += marks
	}
	return true
}
