// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package seal_test

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"strings"
	"testing"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/seal/sealtest"
)

var object = seal.Context{Kind: "UserSecret", Namespace: "alice", Name: "gh"}

func TestSuiteIsTheOneOfVersion1(t *testing.T) {
	kem, kdf, aead := seal.Suite()
	if got, want := [3]uint16{kem.ID(), kdf.ID(), aead.ID()}, [3]uint16{0x647a, 0x0001, 0x0002}; got != want {
		t.Errorf("suite = %#04x, want %#04x: another suite needs another version of the text form", got, want)
	}
}

func TestSealedValueOpensWithPlainHPKE(t *testing.T) {
	public, private := sealtest.NewKey(t)
	for name, plaintext := range map[string][]byte{
		"an empty value":            {},
		"a token":                   []byte("ghp_0123456789"),
		"bytes that are not text":   {0, 0xff, 0xfe, '\n'},
		"the largest value allowed": bytes.Repeat([]byte{'x'}, seal.MaxPlaintext),
	} {
		t.Run(name, func(t *testing.T) {
			sealed, err := seal.Seal(public, object, seal.NewValue(plaintext))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := len(sealed.Payload()), len(plaintext)+seal.Overhead; got != want {
				t.Errorf("payload has %d bytes, want %d", got, want)
			}
			if got := seal.SizeOf(sealed.String()); got != len(plaintext) {
				t.Errorf("SizeOf() = %d, want %d", got, len(plaintext))
			}
			if got := sealed.KeyID(); got != public.ID() {
				t.Errorf("KeyID() = %q, want %q", got, public.ID())
			}
			parsed, err := seal.Parse(sealed.String())
			if err != nil {
				t.Fatalf("Parse refuses what Seal made: %v", err)
			}
			info, err := object.Info()
			if err != nil {
				t.Fatal(err)
			}
			_, kdf, aead := seal.Suite()
			got, err := hpke.Open(private, kdf, aead, info, parsed.Payload())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, plaintext) {
				t.Error("opened to something else")
			}
		})
	}
}

func TestLargestTextHasMaxTextLen(t *testing.T) {
	public, _ := sealtest.NewKey(t)
	sealed, err := seal.Seal(public, object, seal.NewValue(make([]byte, seal.MaxPlaintext)))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(sealed.String()); got != seal.MaxTextLen {
		t.Errorf("the largest text has %d characters, MaxTextLen is %d", got, seal.MaxTextLen)
	}
}

func TestSealRefuses(t *testing.T) {
	public, _ := sealtest.NewKey(t)
	canary := "canary-6d1f"
	for name, tc := range map[string]struct {
		context seal.Context
		value   seal.Value
		want    error
	}{
		"a value of one byte more than allowed": {object, seal.ValueOf(canary + strings.Repeat("x", seal.MaxPlaintext+1-len(canary))), seal.ErrTooLarge},
		"a context without a name":              {seal.Context{Kind: "UserSecret", Namespace: "alice"}, seal.ValueOf(canary), seal.ErrContext},
	} {
		t.Run(name, func(t *testing.T) {
			sealed, err := seal.Seal(public, tc.context, tc.value)
			if !errors.Is(err, tc.want) {
				t.Fatalf("Seal() = %v, want %v", err, tc.want)
			}
			if strings.Contains(err.Error(), canary) {
				t.Error("the error holds the value")
			}
			if sealed.String() != "" {
				t.Error("a refused value has a text")
			}
		})
	}
}

func TestSealRefusesADegenerateKey(t *testing.T) {
	public, _ := sealtest.NewKey(t)
	// An X25519 half of zero would make the classical secret a constant.
	b := public.Bytes()
	clear(b[len(b)-32:])
	degenerate, err := seal.ParsePublicKey(b)
	if err != nil {
		return // Refused even earlier.
	}
	if _, err := seal.Seal(degenerate, object, seal.ValueOf("x")); err == nil {
		t.Error("sealed with a public key of low order")
	}
}

func TestEqualValuesGiveUnrelatedTexts(t *testing.T) {
	public, _ := sealtest.NewKey(t)
	seen := map[string]bool{}
	for range 16 {
		sealed, err := seal.Seal(public, object, seal.ValueOf("same"))
		if err != nil {
			t.Fatal(err)
		}
		enc := string(sealed.Payload()[:seal.Overhead-16])
		if seen[enc] {
			t.Fatal("an encapsulated key was used twice")
		}
		seen[enc] = true
	}
}

func TestParsePublicKey(t *testing.T) {
	public, _ := sealtest.NewKey(t)
	good := public.Bytes()
	again, err := seal.ParsePublicKey(good)
	if err != nil {
		t.Fatal(err)
	}
	if again.ID() != public.ID() || !bytes.Equal(again.Bytes(), good) {
		t.Error("a key is not what it was after a round trip")
	}
	public.Bytes()[0] ^= 1
	if !bytes.Equal(public.Bytes(), good) {
		t.Error("Bytes() hands out the key's own bytes")
	}
	// Coefficients of ML-KEM are below 3329; 0xfff is not reduced.
	unreduced := bytes.Clone(good)
	unreduced[0], unreduced[1] = 0xff, 0xff
	for name, b := range map[string][]byte{
		"no bytes":                          nil,
		"a byte less":                       good[1:],
		"a byte more":                       append(bytes.Clone(good), 0),
		"a private key":                     make([]byte, 32),
		"an ML-KEM key that is not reduced": unreduced,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := seal.ParsePublicKey(b); !errors.Is(err, seal.ErrPublicKey) {
				t.Errorf("ParsePublicKey() = %v, want ErrPublicKey", err)
			}
		})
	}
}
