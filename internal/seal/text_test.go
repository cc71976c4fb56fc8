// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package seal_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

const (
	canary = "canary-6d1f"
	testID = "0123456789abcdef"
)

// encoded returns base64 of a payload whose plaintext would have n bytes.
func encoded(n int) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("\xfb", seal.Overhead+n)))
}

func TestParse(t *testing.T) {
	good := "lk1." + testID + "." + encoded(1)
	padded := func(n int) string {
		return base64.URLEncoding.EncodeToString(make([]byte, seal.Overhead+n))
	}
	// 1137 bytes are 3*379, so encoded(1) has no trailing bits and encoded(2)
	// has four of them.
	trailing := encoded(2)
	trailing = trailing[:len(trailing)-1] + string(trailing[len(trailing)-1]+1)

	for name, tc := range map[string]struct {
		text string
		want error
	}{
		"a well-formed text is accepted":                    {good, nil},
		"a text with an empty plaintext is accepted":        {"lk1." + testID + "." + encoded(0), nil},
		"a text of the largest plaintext is accepted":       {"lk1." + testID + "." + encoded(seal.MaxPlaintext), nil},
		"an empty text is malformed":                        {"", seal.ErrMalformed},
		"a plaintext in the wrong place is malformed":       {canary, seal.ErrMalformed},
		"version 2 is an unknown version":                   {"lk2." + good[4:], seal.ErrVersion},
		"version 0 is an unknown version":                   {"lk0." + good[4:], seal.ErrVersion},
		"version 10 is an unknown version":                  {"lk10." + good[4:], seal.ErrVersion},
		"a version with a leading zero is unknown":          {"lk01." + good[4:], seal.ErrVersion},
		"a prefix without a version is malformed":           {"lk." + good[4:], seal.ErrMalformed},
		"a version that is no number is malformed":          {"lkx." + good[4:], seal.ErrMalformed},
		"an upper-case prefix is malformed":                 {"LK1." + good[4:], seal.ErrMalformed},
		"another prefix is malformed":                       {"age1." + good[4:], seal.ErrMalformed},
		"a prefix alone is malformed":                       {"lk1.", seal.ErrMalformed},
		"a text without a key id is malformed":              {"lk1." + encoded(1), seal.ErrMalformed},
		"a text with an empty key id is malformed":          {"lk1.." + encoded(1), seal.ErrMalformed},
		"a key id of 15 digits is malformed":                {"lk1." + testID[1:] + "." + encoded(1), seal.ErrMalformed},
		"a key id of 17 digits is malformed":                {"lk1." + testID + "0." + encoded(1), seal.ErrMalformed},
		"an upper-case key id is malformed":                 {"lk1." + strings.ToUpper(testID) + "." + encoded(1), seal.ErrMalformed},
		"a key id that is not hexadecimal is malformed":     {"lk1.0123456789abcdeg." + encoded(1), seal.ErrMalformed},
		"a text without a payload is malformed":             {"lk1." + testID + ".", seal.ErrMalformed},
		"a text without the second dot is malformed":        {"lk1." + testID, seal.ErrMalformed},
		"a payload shorter than the overhead is malformed":  {"lk1." + testID + "." + encoded(-1), seal.ErrMalformed},
		"a payload with one padding character is malformed": {"lk1." + testID + "." + padded(0), seal.ErrMalformed},
		"a payload with two padding characters is malformed": {
			"lk1." + testID + "." + padded(2), seal.ErrMalformed,
		},
		"trailing bits that are not zero are malformed":  {"lk1." + testID + "." + trailing, seal.ErrMalformed},
		"a payload of an impossible length is malformed": {good + "A", seal.ErrMalformed},
		"the base64 alphabet of files is malformed":      {"lk1." + testID + "." + strings.ReplaceAll(encoded(1), "-", "+"), seal.ErrMalformed},
		"a trailing line feed is malformed":              {good + "\n", seal.ErrMalformed},
		"a trailing carriage return is malformed":        {good + "\r", seal.ErrMalformed},
		"a line feed within the payload is malformed":    {good[:100] + "\n" + good[100:], seal.ErrMalformed},
		"a leading space is malformed":                   {" " + good, seal.ErrMalformed},
		"a trailing space is malformed":                  {good + " ", seal.ErrMalformed},
		"a space within the payload is malformed":        {good[:100] + " " + good[100:], seal.ErrMalformed},
		"a tab within the payload is malformed":          {good[:100] + "\t" + good[100:], seal.ErrMalformed},
		"a byte of zero within the payload is malformed": {
			good[:100] + "\x00" + good[101:], seal.ErrMalformed,
		},
		"a third dot is malformed":                         {good + ".", seal.ErrMalformed},
		"a plaintext behind a right head is malformed":     {"lk1." + testID + "." + canary, seal.ErrMalformed},
		"a payload of one byte more than allowed is large": {"lk1." + testID + "." + encoded(seal.MaxPlaintext+1), seal.ErrTooLarge},
		"a plaintext longer than any text is large":        {strings.Repeat(canary, seal.MaxTextLen), seal.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			sealed, err := seal.Parse(tc.text)
			if !errors.Is(err, tc.want) {
				t.Fatalf("Parse() = %v, want %v", err, tc.want)
			}
			if tc.want == nil {
				if got := sealed.String(); got != tc.text {
					t.Error("an accepted text is printed differently")
				}
				if got, want := seal.SizeOf(tc.text), len(sealed.Payload())-seal.Overhead; got != want {
					t.Errorf("SizeOf() = %d, want %d as parsed", got, want)
				}
				return
			}
			if sealed.KeyID() != "" || sealed.String() != "" || sealed.Payload() != nil {
				t.Error("a refused text gives a sealed value")
			}
			if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), testID) {
				t.Errorf("the error quotes the text: %v", err)
			}
		})
	}
}

func TestSizeOf(t *testing.T) {
	head := "lk1." + testID + "."
	for name, tc := range map[string]struct {
		text string
		want int
	}{
		"nothing holds nothing":             {"", 0},
		"an empty plaintext":                {head + encoded(0), 0},
		"one byte":                          {head + encoded(1), 1},
		"two bytes":                         {head + encoded(2), 2},
		"three bytes":                       {head + encoded(3), 3},
		"four bytes":                        {head + encoded(4), 4},
		"the largest plaintext":             {head + encoded(seal.MaxPlaintext), seal.MaxPlaintext},
		"more than that is no sealed value": {head + encoded(seal.MaxPlaintext+1), 0},
		"a payload that is cut short holds nothing":       {head + encoded(0)[1:], 0},
		"a plaintext in the wrong place holds nothing":    {strings.Repeat(canary, 1000), 0},
		"another version holds nothing":                   {"lk2" + head[3:] + encoded(9), 0},
		"what is no base64 counts as long as it is":       {head + strings.Repeat("!", len(encoded(5))), 5},
		"a length that cannot be counts as the one below": {head + encoded(1) + "A", 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := seal.SizeOf(tc.text); got != tc.want {
				t.Errorf("SizeOf() = %d, want %d", got, tc.want)
			}
		})
	}
	long := head + encoded(seal.MaxPlaintext)
	if got := testing.AllocsPerRun(10, func() { seal.SizeOf(long) }); got != 0 {
		t.Errorf("SizeOf allocates %v times: it decodes", got)
	}
}

func FuzzParse(f *testing.F) {
	good := "lk1." + testID + "." + encoded(3)
	for _, text := range []string{"", good, good + "=", good + "\n", "lk2." + good[4:], strings.ToUpper(good), good[:len(good)-1]} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sealed, err := seal.Parse(text)
		size := seal.SizeOf(text)
		if size < 0 || size > seal.MaxPlaintext {
			t.Errorf("a text is said to hold %d bytes", size)
		}
		if err != nil {
			if !errors.Is(err, seal.ErrMalformed) && !errors.Is(err, seal.ErrVersion) && !errors.Is(err, seal.ErrTooLarge) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		if got := sealed.String(); got != text {
			t.Errorf("parsed and printed, a text becomes another one:\n%q\n%q", text, got)
		}
		if plain := len(sealed.Payload()) - seal.Overhead; size != plain || plain < 0 || plain > seal.MaxPlaintext {
			t.Errorf("a text is said to hold %d bytes and holds %d", size, plain)
		}
	})
}
