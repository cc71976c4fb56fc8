// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package unseal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"k8s.io/utils/dump"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/seal/unseal"
)

var object = seal.Context{Kind: "UserSecret", Namespace: "alice", Name: "gh"}

func generate(t testing.TB) *unseal.PrivateKey {
	t.Helper()
	key, err := unseal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustSeal(t testing.TB, key *unseal.PrivateKey, c seal.Context, plaintext []byte) seal.Sealed {
	t.Helper()
	sealed, err := seal.Seal(key.Public(), c, seal.NewValue(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestOpenReturnsWhatWasSealed(t *testing.T) {
	key := generate(t)
	for name, plaintext := range map[string][]byte{
		"an empty value":            {},
		"a token":                   []byte("ghp_0123456789"),
		"bytes that are not text":   {0, 0xff, 0xfe, '\n'},
		"the largest value allowed": bytes.Repeat([]byte{'x'}, seal.MaxPlaintext),
	} {
		t.Run(name, func(t *testing.T) {
			sealed, err := seal.Parse(mustSeal(t, key, object, plaintext).String())
			if err != nil {
				t.Fatal(err)
			}
			got, err := key.Open(object, sealed)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Reveal(), plaintext) {
				t.Error("opened to something else")
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	key, other := generate(t), generate(t)
	sealed := mustSeal(t, key, object, []byte("canary-6d1f"))
	// Sealed with key, but naming other: the id alone must not suffice.
	renamed, err := seal.Parse(strings.Replace(sealed.String(), key.ID(), other.ID(), 1))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		key     *unseal.PrivateKey
		context seal.Context
		sealed  seal.Sealed
		want    error
	}{
		"another kind does not open it":      {key, seal.Context{Kind: "Other", Namespace: "alice", Name: "gh"}, sealed, unseal.ErrOpen},
		"another namespace does not open it": {key, seal.Context{Kind: "UserSecret", Namespace: "bob", Name: "gh"}, sealed, unseal.ErrOpen},
		"another name does not open it":      {key, seal.Context{Kind: "UserSecret", Namespace: "alice", Name: "gl"}, sealed, unseal.ErrOpen},
		"a moved boundary does not open it":  {key, seal.Context{Kind: "UserSecret", Namespace: "aliceg", Name: "h"}, sealed, unseal.ErrOpen},
		"an empty context does not open it":  {key, seal.Context{}, sealed, seal.ErrContext},
		"another key does not open it":       {other, object, sealed, unseal.ErrWrongKey},
		"a key it falsely names does not":    {other, object, renamed, unseal.ErrOpen},
		"nothing does not open":              {key, object, seal.Sealed{}, unseal.ErrWrongKey},
	} {
		t.Run(name, func(t *testing.T) {
			value, err := tc.key.Open(tc.context, tc.sealed)
			if !errors.Is(err, tc.want) {
				t.Errorf("Open() = %v, want %v", err, tc.want)
			}
			if value.Len() != 0 {
				t.Error("a value came with the error")
			}
		})
	}
}

func TestParseReturnsTheSameKey(t *testing.T) {
	key := generate(t)
	again, err := unseal.Parse(key.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if again.ID() != key.ID() || !bytes.Equal(again.Public().Bytes(), key.Public().Bytes()) {
		t.Error("the public half differs")
	}
	value, err := again.Open(object, mustSeal(t, key, object, []byte("x")))
	if err != nil || string(value.Reveal()) != "x" {
		t.Errorf("the parsed key does not open: %v", err)
	}
	key.Bytes()[0] ^= 1
	if !bytes.Equal(again.Bytes(), key.Bytes()) {
		t.Error("Bytes() hands out the key's own bytes")
	}
}

func TestParseRefuses(t *testing.T) {
	canary := "canary-6d1f-canary-6d1f-canary-6"
	for name, b := range map[string][]byte{
		"no bytes":     nil,
		"31 bytes":     []byte(canary[:31]),
		"33 bytes":     []byte(canary + "x"),
		"a public key": generate(t).Public().Bytes(),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := unseal.Parse(b)
			if !errors.Is(err, unseal.ErrPrivateKey) {
				t.Fatalf("Parse() = %v, want ErrPrivateKey", err)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Error("the error quotes the input")
			}
		})
	}
}

func TestPrivateKeyPrintsNothingOfItself(t *testing.T) {
	seed := "canary-6d1f-canary-6d1f-canary-6"
	key, err := unseal.Parse([]byte(seed))
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		Exported   *unseal.PrivateKey
		unexported *unseal.PrivateKey
		value      unseal.PrivateKey
	}
	decimal := strings.Trim(fmt.Sprint([]byte(seed[:8])), "[]")
	leaks := func(out string) bool {
		for _, spelling := range []string{
			seed[:8], hex.EncodeToString([]byte(seed[:8])), decimal, strings.ReplaceAll(decimal, " ", ", "),
			strings.Trim(fmt.Sprintf("%#v", []byte(seed[:8])), "[]byte{}"), base64.StdEncoding.EncodeToString([]byte(seed)),
		} {
			if strings.Contains(out, spelling) {
				return true
			}
		}
		return false
	}
	if !leaks(dump.Pretty([]byte(seed))) || !leaks(fmt.Sprint([]byte(seed))) {
		t.Fatal("leaks does not see a leak")
	}
	for name, arg := range map[string]any{
		"a pointer": key, "a key": *key, "a struct": holder{key, key, *key}, "a pointer to struct": &holder{key, key, *key},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			if out := fmt.Sprintf(verb, arg); leaks(out) {
				t.Errorf("%s of %s shows the key", verb, name)
			}
		}
		encoded, err := json.Marshal(arg)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("Message", "key", arg)
		for _, out := range []string{fmt.Sprint(string(encoded), err), log.String(), dump.Pretty(arg)} {
			if leaks(out) {
				t.Errorf("%s shows the key: %s", name, out)
			}
		}
	}
	if got := fmt.Sprint(key); got != "[redacted]" {
		t.Errorf("Sprint() = %q, want [redacted]", got)
	}
}
