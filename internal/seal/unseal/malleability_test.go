// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package unseal_test

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/seal/unseal"
)

// opens reports whether text opens for object with key.
func opens(key *unseal.PrivateKey, text string) (seal.Value, bool) {
	sealed, err := seal.Parse(text)
	if err != nil {
		return seal.Value{}, false
	}
	value, err := key.Open(object, sealed)
	return value, err == nil
}

func TestNoFlippedBitOfThePayloadOpens(t *testing.T) {
	key := generate(t)
	text := mustSeal(t, key, object, []byte("canary")).String()
	if _, ok := opens(key, text); !ok {
		t.Fatal("the original does not open")
	}
	for bit := range 8 {
		t.Run(fmt.Sprintf("bit %d of every byte", bit), func(t *testing.T) {
			t.Parallel()
			payload := decodePayload(t, text)
			for i := range payload {
				payload[i] ^= 1 << bit
				if _, ok := opens(key, text[:21]+base64.RawURLEncoding.EncodeToString(payload)); ok {
					t.Errorf("opens with bit %d of byte %d flipped", bit, i)
				}
				payload[i] ^= 1 << bit
			}
		})
	}
}

func TestNoChangedCharacterOfTheTextOpens(t *testing.T) {
	key := generate(t)
	text := mustSeal(t, key, object, []byte("canary")).String()
	for i := range text {
		// Another letter of base64, the other case, and no letter at all.
		for _, c := range []byte{text[i] ^ 1, text[i] ^ 0x20, '='} {
			if _, ok := opens(key, text[:i]+string(rune(c))+text[i+1:]); ok {
				t.Errorf("opens with the character at %d changed from %q to %q", i, text[i], c)
			}
		}
	}
}

func TestNoRearrangedTextOpens(t *testing.T) {
	key := generate(t)
	// The payloads end in 0, 4 and 2 trailing bits of base64.
	for _, plaintext := range []string{"1", "12", "123"} {
		text := mustSeal(t, key, object, []byte(plaintext)).String()
		last := len(text) - 1
		for c := range 256 {
			if byte(c) == text[last] {
				continue
			}
			if _, ok := opens(key, text[:last]+string([]byte{byte(c)})); ok {
				t.Errorf("opens with its last character changed from %q to %q", text[last], byte(c))
			}
		}
		for _, i := range []int{0, 1, 3, 4, 5, 19, 20, 21, 22, 1000, last - 4, last - 3, last - 2, last - 1, last} {
			for what, mutant := range map[string]string{
				"deleted":        text[:i] + text[i+1:],
				"doubled":        text[:i+1] + text[i:],
				"an insertion":   text[:i] + "A" + text[i:],
				"a line break":   text[:i] + "\n" + text[i:],
				"a DOS one":      text[:i] + "\r\n" + text[i:],
				"a space":        text[:i] + " " + text[i:],
				"cut off before": text[:i],
				"continued":      text + text[i:],
				"begun twice":    text[:i+1] + text,
				"padded":         text + strings.Repeat("=", 1+i%3),
			} {
				if _, ok := opens(key, mutant); ok {
					t.Errorf("opens with %s at %d", what, i)
				}
			}
		}
	}
}

// FuzzOpen works on a vector, so that its key and text are the same in every
// process and what it finds can be run again.
func FuzzOpen(f *testing.F) {
	v := readVector(f, filepath.Join(vectorsDir, "opens.json"))
	key, err := unseal.Parse(decodeHex(f, v.PrivateKey))
	if err != nil {
		f.Fatal(err)
	}
	original := v.Text
	f.Add(original, uint16(0))
	f.Add(original+"\n", uint16(7))
	f.Add("lk2"+original[3:], uint16(9000))
	f.Add(original[21:], uint16(21))
	f.Fuzz(func(t *testing.T, text string, at uint16) {
		// The mutated text itself, and behind a true beginning of the original.
		for _, candidate := range []string{text, original[:min(len(original), int(at))] + text} {
			value, ok := opens(key, candidate)
			if ok != (candidate == original) {
				t.Fatalf("opens: %v, is the original: %v", ok, candidate == original)
			}
			if ok && base64.StdEncoding.EncodeToString(value.Reveal()) != v.Plaintext {
				t.Fatal("opens to something else")
			}
		}
		payload := decodePayload(t, original)
		payload[int(at/8)%len(payload)] ^= 1 << (at % 8)
		if _, ok := opens(key, original[:21]+base64.RawURLEncoding.EncodeToString(payload)); ok {
			t.Fatalf("opens with bit %d flipped", at)
		}
	})
}

func decodePayload(t *testing.T, text string) []byte {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(text[21:])
	if err != nil {
		t.Fatal(err)
	}
	return payload
}
