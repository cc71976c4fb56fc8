// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// ErrPublicKey says that bytes are not a public key of the suite in use.
var ErrPublicKey = errors.New("not a public sealing key; fetch the published key again")

const (
	// keyIDLen is the length of a key id in hexadecimal digits.
	keyIDLen = 16
	// keyIDLabel keeps a key id from equalling any other hash of a public key.
	keyIDLabel = "latchkey.dev/seal/v1/key-id"
)

// PublicKey seals. It is no secret. It is safe for concurrent use.
type PublicKey struct {
	key   hpke.PublicKey
	bytes []byte
	id    string
}

// ParsePublicKey reads the form that [PublicKey.Bytes] returns.
func ParsePublicKey(b []byte) (*PublicKey, error) {
	kem, _, _ := Suite()
	key, err := kem.NewPublicKey(b)
	if err != nil {
		return nil, ErrPublicKey
	}
	// Identified by its own serialisation, so that one key has one id.
	raw := key.Bytes()
	return &PublicKey{key: key, bytes: raw, id: keyID(raw)}, nil
}

// Bytes returns the key as HPKE serialises it (SerializePublicKey in RFC 9180).
func (pk *PublicKey) Bytes() []byte { return bytes.Clone(pk.bytes) }

// ID returns the name under which texts refer to this key: 16 lower-case
// hexadecimal digits.
//
// It tells keys apart and selects the one to open with; it proves nothing.
// Nothing rests on it being hard to forge: a text that names the wrong key
// does not open.
func (pk *PublicKey) ID() string { return pk.id }

func keyID(public []byte) string {
	h := sha256.New()
	h.Write([]byte(keyIDLabel))
	h.Write(public)
	return hex.EncodeToString(h.Sum(nil))[:keyIDLen]
}

// isKeyID reports whether s has the form of a key id.
func isKeyID(s string) bool {
	if len(s) != keyIDLen {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
