// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrMalformed says that a text is not a sealed value, or not in its one
	// canonical form.
	ErrMalformed = errors.New("not a sealed value")

	// ErrVersion says that a text is a sealed value of a version that this
	// release does not read.
	ErrVersion = errors.New("sealed value of an unknown version")
)

const (
	// textPrefix starts every text of version 1.
	textPrefix = "lk1."

	headLen = len(textPrefix) + keyIDLen + len(".")

	// minEncodedLen and maxEncodedLen are the lengths of the unpadded base64
	// of the smallest and of the largest payload.
	minEncodedLen = (Overhead*8 + 5) / 6
	maxEncodedLen = ((Overhead+MaxPlaintext)*8 + 5) / 6

	// MaxTextLen is the length in bytes of the longest text that Parse
	// accepts.
	MaxTextLen = headLen + maxEncodedLen
)

// encoding refuses trailing bits that are not zero. It still skips CR and LF,
// which Parse has to refuse by itself.
var encoding = base64.RawURLEncoding.Strict()

// Sealed is a sealed value: ciphertext, and the id of the key that opens it. Its
// zero value is no sealed value and opens with no key.
type Sealed struct {
	keyID   string
	payload []byte
}

// Parse reads a text of the form
//
//	lk1.<key id>.<encapsulated key and ciphertext>
//
// where the key id is 16 lower-case hexadecimal digits and the last part is
// base64url (RFC 4648, section 5) without padding. A sealed value has exactly
// one such text: for every text that Parse accepts, String returns that text.
// Errors wrap [ErrMalformed], [ErrVersion] or [ErrTooLarge] and never quote
// the text, which may be a plaintext put in the wrong place.
func Parse(text string) (Sealed, error) {
	id, encoded, err := split(text)
	if err != nil {
		return Sealed{}, err
	}
	if strings.ContainsAny(encoded, "\r\n") {
		return Sealed{}, malformed("it contains a line break, put it on one line")
	}
	payload, err := encoding.DecodeString(encoded)
	if err != nil {
		return Sealed{}, malformed("its last part is not canonical base64url without padding and white space")
	}
	return Sealed{keyID: id, payload: payload}, nil
}

// SizeOf returns the length in bytes of the plaintext in a text, computed from the
// length of the text alone. It is exact for every text that Parse accepts. For any
// other text it is at most MaxPlaintext, and 0 if the text does not begin like a
// sealed value. A brief has the size of the text that it stands for.
func SizeOf(text string) int {
	if _, size, ok := ofBrief(text); ok {
		return size
	}
	_, encoded, err := split(text)
	if err != nil {
		return 0
	}
	return encoding.DecodedLen(len(encoded)) - Overhead
}

// KeyIDOf returns the id of the key that a sealed value names, or "" if the text is no
// sealed value. It decodes nothing. A brief names the key of the text that it stands for.
func KeyIDOf(text string) string {
	if id, _, ok := ofBrief(text); ok {
		return id
	}
	id, _, err := split(text)
	if err != nil {
		return ""
	}
	return id
}

// split splits a text into the key id and the encoded payload, which it does not decode.
func split(text string) (id, encoded string, err error) {
	if len(text) > MaxTextLen {
		return "", "", fmt.Errorf("%w: a sealed value has at most %d characters", ErrTooLarge, MaxTextLen)
	}
	rest, ok := strings.CutPrefix(text, textPrefix)
	if !ok {
		if hasOtherVersion(text) {
			return "", "", fmt.Errorf("%w: this release reads version 1, upgrade Latchkey or seal the value again", ErrVersion)
		}
		return "", "", malformed("it must begin with " + textPrefix)
	}
	id, encoded, ok = strings.Cut(rest, ".")
	if !ok || !isKeyID(id) {
		return "", "", malformed("a key id of 16 lower-case hexadecimal digits and a dot must follow the version")
	}
	if len(encoded) < minEncodedLen {
		return "", "", malformed("it is cut short")
	}
	return id, encoded, nil
}

// String returns the text form. It is not secret.
func (s Sealed) String() string {
	if s.keyID == "" {
		return ""
	}
	text := make([]byte, 0, headLen+encoding.EncodedLen(len(s.payload)))
	text = append(text, textPrefix...)
	text = append(text, s.keyID...)
	text = append(text, '.')
	return string(encoding.AppendEncode(text, s.payload))
}

// KeyID returns the id of the key that the value was sealed with.
func (s Sealed) KeyID() string { return s.keyID }

// Payload returns the encapsulated key followed by the ciphertext, for the half
// that opens. The caller must not change it.
func (s Sealed) Payload() []byte { return s.payload }

func malformed(hint string) error {
	return fmt.Errorf("%w: %s; copy the whole text, or seal the value again", ErrMalformed, hint)
}

// hasOtherVersion reports whether text begins like a text of another version: lk,
// a number and a dot.
func hasOtherVersion(text string) bool {
	rest, ok := strings.CutPrefix(text, "lk")
	if !ok {
		return false
	}
	version, _, ok := strings.Cut(rest, ".")
	return ok && version != "" && strings.Trim(version, "0123456789") == ""
}
