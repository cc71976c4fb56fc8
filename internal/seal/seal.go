// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package seal is the public half of Latchkey's sealing: it turns a secret
// value into a text that only the holder of a private key can open, and only
// for the object that it was sealed for.
//
// It owns the text form, the binding to an object ([Context]) and the type that
// keeps a plaintext from being printed ([Value]). It is pure: bytes in, bytes
// out. It reads nothing, writes nothing, logs nothing and knows no client. It
// cannot decrypt: only the package unseal below it can, so an import shows which
// code can decrypt.
//
// # Construction
//
// HPKE in base mode (RFC 9180) as implemented by crypto/hpke, with
//
//   - KEM: MLKEM768-X25519 (X-Wing, draft-ietf-hpke-pq), a hybrid that holds as
//     long as either ML-KEM-768 or X25519 does; sealed values are stored for
//     years, so they must outlive a quantum computer
//   - KDF: HKDF-SHA256
//   - AEAD: AES-256-GCM
//
// Every call runs a fresh encapsulation and seals one message, so no nonce can
// ever repeat and equal plaintexts give unrelated texts.
//
// # What it does and does not give
//
// A text is confidential and cannot be altered without failing to open. Its
// length reveals the length of the plaintext. It is not signed: anyone with the
// public key can seal. That is intended (clients seal offline), and who may
// store a text in an object is decided by the cluster's RBAC.
package seal

import (
	"crypto/hpke"
	"crypto/mlkem"
	"errors"
	"fmt"
)

const (
	// MaxPlaintext is the largest plaintext, in bytes, that can be sealed. It
	// leaves room for a whole object below etcd's usual limit of 1.5 MiB.
	MaxPlaintext = 128 << 10

	// encSize is the size of the encapsulated key: an ML-KEM-768 ciphertext
	// and an X25519 public key.
	encSize = mlkem.CiphertextSize768 + 32
	// tagSize is the size of AES-GCM's authentication tag.
	tagSize = 16

	// Overhead is by how many bytes a sealed payload is longer than its
	// plaintext.
	Overhead = encSize + tagSize
)

// ErrTooLarge says that a plaintext or a text is larger than may be sealed.
var ErrTooLarge = errors.New("value is too large")

// Suite returns the three parts of the one HPKE suite in use, for both halves.
// A change of any of them is a new version of the text form.
func Suite() (hpke.KEM, hpke.KDF, hpke.AEAD) {
	return hpke.MLKEM768X25519(), hpke.HKDFSHA256(), hpke.AES256GCM()
}

// Seal encrypts v so that only the private half of pk opens it, and only for c.
func Seal(pk *PublicKey, c Context, v Value) (Sealed, error) {
	info, err := c.Info()
	if err != nil {
		return Sealed{}, err
	}
	if v.Len() > MaxPlaintext {
		return Sealed{}, fmt.Errorf("%w: it has %d bytes, shorten it to at most %d", ErrTooLarge, v.Len(), MaxPlaintext)
	}
	_, kdf, aead := Suite()
	payload, err := hpke.Seal(pk.key, kdf, aead, info, v.bytes())
	if err != nil {
		// Only a public key with a degenerate X25519 half gets here; no
		// honest key generation makes one.
		return Sealed{}, fmt.Errorf("seal with key %s: %w", pk.id, err)
	}
	return Sealed{keyID: pk.id, payload: payload}, nil
}
