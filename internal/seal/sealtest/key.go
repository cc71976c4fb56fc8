// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sealtest makes sealing keys for tests of packages that only seal.
package sealtest

import (
	"crypto/hpke"
	"testing"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// NewKey makes a key with HPKE itself, because a package that only seals knows no private
// half.
func NewKey(t testing.TB) (*seal.PublicKey, hpke.PrivateKey) {
	t.Helper()
	kem, _, _ := seal.Suite()
	private, err := kem.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	public, err := seal.ParsePublicKey(private.PublicKey().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}
