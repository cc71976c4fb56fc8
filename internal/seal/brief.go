// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// briefPrefix begins every brief. It is not UTF-8, so no object of the API server has a text
// that begins with it.
const briefPrefix = "\xff"

const briefLen = len(briefPrefix) + keyIDLen + 4 + sha256.Size

// Brief returns a short text that stands for a sealed value where nothing is opened. It
// has the key id and the size of the plaintext, for KeyIDOf and SizeOf, and a digest. Two
// texts have the same brief only if they are equal. A brief cannot be opened, and Parse
// refuses it. The brief of a brief, and of a text that is no sealed value, is that text.
func Brief(text string) string {
	if KeyIDOf(text) == "" || IsBrief(text) {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	b := make([]byte, 0, briefLen)
	b = append(b, briefPrefix...)
	b = append(b, KeyIDOf(text)...)
	b = binary.BigEndian.AppendUint32(b, uint32(SizeOf(text))) //nolint:gosec // at most MaxPlaintext
	return string(append(b, sum[:]...))
}

// IsBrief reports whether a text is a brief.
func IsBrief(text string) bool {
	_, _, ok := ofBrief(text)
	return ok
}

// ofBrief returns what a brief says of its text.
func ofBrief(text string) (keyID string, size int, ok bool) {
	rest, ok := strings.CutPrefix(text, briefPrefix)
	if !ok || len(text) != briefLen || !isKeyID(rest[:keyIDLen]) {
		return "", 0, false
	}
	size = int(binary.BigEndian.Uint32([]byte(rest[keyIDLen:])))
	return rest[:keyIDLen], size, size <= MaxPlaintext
}
