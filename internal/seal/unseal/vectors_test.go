// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package unseal_test

import (
	"bytes"
	"crypto/hpke"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/seal/unseal"
)

// HPKE is randomised, so a vector cannot be computed again: it is a promise
// that a text sealed by an earlier release still opens. An existing file is
// therefore never overwritten, only missing ones are made.
var update = flag.Bool("update", false, "write the vectors that have no file yet")

const vectorsDir = "../testdata/vectors"

// vector is one file of testdata/vectors; see the README.md there.
type vector struct {
	Comment    string `json:"comment"`
	PrivateKey string `json:"privateKey"`
	KeyID      string `json:"keyID"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	// NamespaceUID, Path and Type are left out where nothing is bound to them.
	NamespaceUID string   `json:"namespaceUID,omitempty"`
	Name         string   `json:"name"`
	Path         []string `json:"path,omitempty"`
	Type         string   `json:"type,omitempty"`
	Info         string   `json:"info"`
	Text         string   `json:"text"`
	Want         string   `json:"want"`
	Plaintext    string   `json:"plaintext,omitempty"`
}

func (v vector) context() seal.Context {
	return seal.Context{Kind: v.Kind, Namespace: v.Namespace, NamespaceUID: v.NamespaceUID, Name: v.Name, Path: v.Path, Type: v.Type}
}

// outcome opens a vector the way Latchkey does and names what happened.
func (v vector) outcome(t *testing.T) (kind string, plaintext []byte) {
	t.Helper()
	key, err := unseal.Parse(decodeHex(t, v.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	if got := key.ID(); got != v.KeyID {
		t.Errorf("the key has id %q, want %q", got, v.KeyID)
	}
	sealed, err := seal.Parse(v.Text)
	switch {
	case errors.Is(err, seal.ErrMalformed):
		return "malformed", nil
	case errors.Is(err, seal.ErrVersion):
		return "version", nil
	case err != nil:
		t.Fatal(err)
	}
	value, err := key.Open(v.context(), sealed)
	switch {
	case errors.Is(err, unseal.ErrWrongKey):
		return "wrong-key", nil
	case errors.Is(err, unseal.ErrOpen):
		return "not-for-object", nil
	case err != nil:
		t.Fatal(err)
	}
	return "plaintext", value.Reveal()
}

func TestVectors(t *testing.T) {
	if *update {
		writeMissing(t)
	}
	files, err := filepath.Glob(filepath.Join(vectorsDir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if want := len(recipes); len(files) != want {
		t.Errorf("%d vectors in %s, want %d", len(files), vectorsDir, want)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			v := readVector(t, file)
			kind, plaintext := v.outcome(t)
			if diff := cmp.Diff(v.Want, kind); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", v.Comment, diff)
			}
			if got := base64.StdEncoding.EncodeToString(plaintext); got != v.Plaintext {
				t.Errorf("opens to %q, want %q", got, v.Plaintext)
			}
			info, err := v.context().Info()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.Info, hex.EncodeToString(info)); diff != "" {
				t.Errorf("info differs (-want +got):\n%s", diff)
			}
		})
	}
}

// Opens the vectors with crypto/hpke and the standard library alone, so that
// they describe the format and not only this implementation of it.
func TestVectorsOpenWithPlainHPKE(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectorsDir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	opened := 0
	for _, file := range files {
		v := readVector(t, file)
		if v.Want != "plaintext" && v.Want != "not-for-object" {
			continue
		}
		kem, err := hpke.NewKEM(0x647a)
		if err != nil {
			t.Fatal(err)
		}
		key, err := kem.NewPrivateKey(decodeHex(t, v.PrivateKey))
		if err != nil {
			t.Fatal(err)
		}
		payload, err := base64.RawURLEncoding.DecodeString(v.Text[strings.LastIndex(v.Text, ".")+1:])
		if err != nil {
			t.Fatal(err)
		}
		recipient, err := hpke.NewRecipient(payload[:1120], key, hpke.HKDFSHA256(), hpke.AES256GCM(), decodeHex(t, v.Info))
		var plaintext []byte
		if err == nil { // A key of low order fails here already.
			plaintext, err = recipient.Open(nil, payload[1120:])
		}
		if (err == nil) != (v.Want == "plaintext") {
			t.Errorf("%s: HPKE says %v, want %s", file, err, v.Want)
		}
		if got := base64.StdEncoding.EncodeToString(plaintext); got != v.Plaintext {
			t.Errorf("%s: opens to %q, want %q", file, got, v.Plaintext)
		}
		opened++
	}
	if opened == 0 {
		t.Error("no vector was opened")
	}
}

func readVector(t testing.TB, file string) vector {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	var v vector
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

func decodeHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
