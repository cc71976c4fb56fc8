// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package seal_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

func TestBrief_OfASealedValue_StandsForItAndDoesNotOpen(t *testing.T) {
	texts := []string{
		"lk1." + testID + "." + encoded(0),
		"lk1." + testID + "." + encoded(5),
		"lk1." + testID + "." + strings.Replace(encoded(5), "-", "A", 1), // as long, and another value
		"lk1.fedcba9876543210." + encoded(5),
		"lk1." + testID + "." + encoded(seal.MaxPlaintext),
	}
	seen := map[string]bool{}
	for _, text := range texts {
		brief := seal.Brief(text)
		if seen[brief] {
			t.Errorf("the brief of %.30s... is that of another text", text)
		}
		seen[brief] = true
		if !seal.IsBrief(brief) || seal.IsBrief(text) || seal.Brief(brief) != brief {
			t.Errorf("Brief(%.30s...) = %q is not a brief of its own, or the text is one", text, brief)
		}
		if seal.KeyIDOf(brief) != seal.KeyIDOf(text) || seal.SizeOf(brief) != seal.SizeOf(text) {
			t.Errorf("%q says key %q, size %d; want %q, %d", brief, seal.KeyIDOf(brief), seal.SizeOf(brief), seal.KeyIDOf(text), seal.SizeOf(text))
		}
		if _, err := seal.Parse(brief); !errors.Is(err, seal.ErrMalformed) {
			t.Errorf("Parse(%q) = %v, want %v", brief, err, seal.ErrMalformed)
		}
		if utf8.ValidString(brief) {
			t.Errorf("%q is UTF-8, so an object of the API server could have it", brief)
		}
	}
}

func TestBrief_OfWhatIsNoSealedValue_IsTheText(t *testing.T) {
	brief := seal.Brief("lk1." + testID + "." + encoded(5))
	for name, text := range map[string]string{
		"nothing":                      "",
		"a plaintext":                  canary,
		"another version":              "lk2." + testID + "." + encoded(5),
		"a brief that is cut":          brief[:len(brief)-1],
		"a brief of no key":            brief[:1] + strings.ToUpper(testID) + brief[17:],
		"a brief of too large a value": brief[:17] + "\xff\xff\xff\xff" + brief[21:],
	} {
		if got := seal.Brief(text); got != text || seal.IsBrief(text) || seal.KeyIDOf(text) != "" || seal.SizeOf(text) != 0 {
			t.Errorf("%s: Brief = %q, IsBrief %v, KeyIDOf %q, SizeOf %d; want the text, and no sealed value", name, got, seal.IsBrief(text), seal.KeyIDOf(text), seal.SizeOf(text))
		}
	}
}
