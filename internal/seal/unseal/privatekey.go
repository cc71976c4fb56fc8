// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package unseal is the private half of Latchkey's sealing: it makes keys and
// opens what the package seal sealed. Code that imports it can decrypt; the linter
// keeps the list of importers short.
//
// It is pure: it reads nothing but the system's random source, writes nothing
// and logs nothing.
package unseal

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

var (
	// ErrWrongKey says that a value was sealed with another key than the one
	// asked to open it.
	ErrWrongKey = errors.New("sealed with another key")

	// ErrOpen says that a value does not open for the object it is in. The
	// reason is not known: each of them leads to another encryption key or
	// another tag. The cause is left out on purpose, because a finer answer
	// would only help an attacker.
	ErrOpen = errors.New("does not open for this object: sealed for another kind, namespace, name, path or type, or altered since; seal the value again for this object")

	// ErrPrivateKey says that bytes are not a private key.
	ErrPrivateKey = errors.New("not a private sealing key")
)

// redacted is what a private key shows of itself.
const redacted = "[redacted]"

// PrivateKey opens. It prints as [redacted] in the same way, and for the same
// reasons, as seal.Value. It is safe for concurrent use.
type PrivateKey struct {
	// key is a closure so that no printer can reach the key by reflection.
	key    func() hpke.PrivateKey
	public *seal.PublicKey
}

// Generate makes a new key from the system's random source.
func Generate() (*PrivateKey, error) {
	kem, _, _ := seal.Suite()
	key, err := kem.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("generate a sealing key: %w", err)
	}
	return fromHPKE(key)
}

// Parse reads the form that [PrivateKey.Bytes] returns. Its errors hold nothing
// of the input.
func Parse(b []byte) (*PrivateKey, error) {
	kem, _, _ := seal.Suite()
	key, err := kem.NewPrivateKey(b)
	if err != nil {
		return nil, ErrPrivateKey
	}
	return fromHPKE(key)
}

func fromHPKE(key hpke.PrivateKey) (*PrivateKey, error) {
	public, err := seal.ParsePublicKey(key.PublicKey().Bytes())
	if err != nil {
		return nil, err
	}
	return &PrivateKey{key: func() hpke.PrivateKey { return key }, public: public}, nil
}

// Bytes returns the key in the clear (SerializePrivateKey in RFC 9180: the
// 32-byte seed). It is for storing the key and for nothing else.
func (k PrivateKey) Bytes() []byte {
	b, err := k.key().Bytes()
	if err != nil {
		// Only a key held by hardware has no bytes, and there is no way to
		// make a PrivateKey from one.
		return nil
	}
	return bytes.Clone(b)
}

// Public returns the half that seals.
func (k PrivateKey) Public() *seal.PublicKey { return k.public }

// ID returns the id of the key, which is that of its public half.
func (k PrivateKey) ID() string { return k.public.ID() }

// Open decrypts s for the object c. Its errors wrap [ErrWrongKey] if s names
// another key, [ErrOpen] if s was sealed for another object or was altered, and
// [seal.ErrContext] if c is incomplete.
//
// Exactly one key is tried, the one that s names. AES-GCM does not commit to
// its key, so the maker of a ciphertext could influence which of several keys opens it.
func (k PrivateKey) Open(c seal.Context, s seal.Sealed) (seal.Value, error) {
	info, err := c.Info()
	if err != nil {
		return seal.Value{}, err
	}
	if s.KeyID() != k.ID() {
		return seal.Value{}, ErrWrongKey
	}
	_, kdf, aead := seal.Suite()
	plaintext, err := hpke.Open(k.key(), kdf, aead, info, s.Payload())
	if err != nil {
		return seal.Value{}, ErrOpen
	}
	return seal.NewValue(plaintext), nil
}

// String implements fmt.Stringer.
func (PrivateKey) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (PrivateKey) GoString() string { return redacted }

// Format implements fmt.Formatter for every verb.
func (PrivateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalJSON implements json.Marshaler.
func (PrivateKey) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler.
func (PrivateKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (PrivateKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalLog implements logr.Marshaler.
func (PrivateKey) MarshalLog() any { return redacted }
