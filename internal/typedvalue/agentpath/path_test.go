// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package agentpath

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestCanonicalSegment(t *testing.T) {
	tests := map[string]struct{ segment, want string }{
		"an acronym before a word":                 {"HTTPServer", "httpServer"},
		"a small letter before an acronym":         {"mTLSCert", "mTlsCert"},
		"a digit after an underscore":              {"s3_bucket", "s3Bucket"},
		"single letters":                           {"x_y_z", "xYZ"},
		"single letters converted twice":           {"xYZ", "xYz"},
		"separators around":                        {" .a-b/ ", "aB"},
		"a digit keeps the mode lower":             {"a1B", "a1B"},
		"a digit keeps the mode upper":             {"A1BC", "a1bc"},
		"a capital after a digit leads its word":   {"A1Bc", "a1Bc"},
		"a digit alone sets no mode":               {"1Bc", "1bc"},
		"a sharp s at the start of a word":         {"a_ßb", "aSSb"},
		"a capital sharp s":                        {"ẞ_ẞ", "ßẞ"},
		"a dotted capital i in the first word":     {"İd", "i\u0307d"},
		"a dotted capital i in a later word":       {"a_İİ", "aİi\u0307"},
		"a ligature at the start of a word":        {"a_ﬁx", "aFIx"},
		"a letter that becomes two with a mark":    {"a_ǰb", "aJ\u030cb"},
		"an apostrophe letter":                     {"a_ŉ", "aʼN"},
		"a title-case letter is neither case":      {"aǅb", "aǆb"},
		"a title-case letter starts a word":        {"a_ǅb", "aǄb"},
		"a sigma ends the first word":              {"ΟΔΟΣ_ΟΔΟΣ", "οδοςΟδος"},
		"a sigma alone in the first word":          {"Σ", "ς"},
		"a sigma alone in a later word":            {"a_Σ", "aΣ"},
		"a sigma before a digit is not at the end": {"ΑΣ1", "ασ1"},
		"a small sigma is left alone":              {"ας_σ", "αςΣ"},
		"a combining mark separates":               {"e\u0301t", "eT"},
		"a vowel sign is alphabetic":               {"की", "की"},
		"an ordinal is lower case":                 {"ªB", "ªB"},
		"a circled capital is upper case":          {"aⒷ", "aⒷ"},
		"a Roman numeral is upper case":            {"aⅧ", "aⅧ"},
		"a fraction is a number":                   {"a½b", "a½b"},
		"capitals without a small form":            {"𝔸𝔹c", "𝔸𝔹c"},
		"bytes that are no UTF-8 separate":         {"a\xffb", "aB"},
		"an emoji separates":                       {"a🔑b", "aB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := CanonicalSegment(test.segment)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("CanonicalSegment(%q) differs (-want +got):\n%s", test.segment, diff)
			}
			if !IsCanonical(got) {
				t.Errorf("IsCanonical(%q) is false", got)
			}
		})
	}
}

func TestCanonicalPathBounds(t *testing.T) {
	many := func(n int) []string { return strings.Split(strings.Repeat("a.", n-1)+"a", ".") }
	tests := map[string]struct {
		segments []string
		want     string // error
	}{
		"sixteen segments":               {many(16), ""},
		"seventeen segments":             {many(17), "path: expected 1 to 16 segments"},
		"no segments":                    {nil, "path: expected 1 to 16 segments"},
		"a segment of separators":        {[]string{"a", "--"}, "path[1]: expected a segment with a letter or a digit"},
		"128 bytes":                      {[]string{strings.Repeat("é", 64)}, ""},
		"129 bytes":                      {[]string{strings.Repeat("é", 64) + "e"}, "path[0]: expected at most 128 bytes in lower camel case"},
		"128 bytes with much around":     {[]string{strings.Repeat("_", 1000) + strings.Repeat("a", 128)}, ""},
		"128 bytes that become 129":      {[]string{"a_" + strings.Repeat("a", 123) + "ǰ_ǰ"}, "path[0]: expected at most 128 bytes in lower camel case"},
		"128 bytes of capital letters":   {[]string{strings.Repeat("A", 128)}, ""},
		"a long segment after good ones": {[]string{"a", "b", strings.Repeat("a", 129)}, "path[2]: expected at most 128 bytes in lower camel case"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path, err := Canonical(test.segments)
			if got := message(err); got != test.want {
				t.Fatalf("error %q, want %q", got, test.want)
			}
			if err == nil {
				if err := CheckCanonical(path); err != nil {
					t.Errorf("CheckCanonical of the result: %v", err)
				}
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCheckCanonicalPathRefuses(t *testing.T) {
	tests := map[string]struct {
		path []string
		want string
	}{
		"no segments":             {nil, "path: expected 1 to 16 segments"},
		"seventeen segments":      {make([]string, 17), "path: expected 1 to 16 segments"},
		"an empty segment":        {[]string{"a", ""}, "path[1]: expected a segment with a letter or a digit"},
		"a segment too long":      {[]string{strings.Repeat("a", 129)}, "path[0]: expected at most 128 bytes in lower camel case"},
		"a segment in snake case": {[]string{"a", "api_key"}, "path[1]: expected lower camel case, such as apiKey"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := message(CheckCanonical(test.path)); got != test.want {
				t.Errorf("error %q, want %q", got, test.want)
			}
		})
	}
}

func TestIsCanonicalRefuses(t *testing.T) {
	for name, segment := range map[string]string{
		"nothing":                           "",
		"a capital at the start":            "ApiKey",
		"a separator":                       "api_key",
		"a separator at the end":            "api-",
		"bytes that are no UTF-8":           "a\xff",
		"a replacement character":           "a\ufffd",
		"a title-case letter":               "aǅ",
		"a mark on a small letter":          "e\u0301",
		"a mark at the start":               "\u0307i",
		"two marks where mapping makes one": "ai\u0307\u0307",
		"a marked capital at the start":     "J\u030c",
		"a mark that mapping never makes":   "aJ\u0307",
		"a dotted capital i at the start":   "İa",
	} {
		t.Run(name, func(t *testing.T) {
			if IsCanonical(segment) {
				t.Errorf("IsCanonical(%q) is true", segment)
			}
		})
	}
}

// IsCanonical knows full case mapping by a list; this walks all cased
// characters for one that the list lacks.
func TestIsCanonicalKnowsEveryCaseMapping(t *testing.T) {
	for c := rune(0); c <= unicode.MaxRune; c++ {
		cased := isLower(c) || isUpper(c) || unicode.IsTitle(c) || unicode.ToUpper(c) != c || unicode.ToLower(c) != c
		if !utf8.ValidRune(c) || !cased {
			continue
		}
		for _, segment := range []string{string(c), "a_" + string(c), "A" + string(c), "a_a" + string(c), string(c) + string(c) + "_" + string(c) + "x"} {
			if got := CanonicalSegment(segment); !IsCanonical(got) {
				t.Errorf("CanonicalSegment(%q) = %q, which is not canonical", segment, got)
			}
		}
	}
}

// Rows of characters whose case mapping is unusual, with what lies between.
func TestIsCanonicalKnowsRowsOfUnusualCharacters(t *testing.T) {
	pool := []rune("aZ1_ ßẞİıςΣσŉǰΐΰẖὐᾶᾷᾳᾼﬁևǅªⓐⒷⅧⅷ𝔸ĸ密\u0345\u0307\u030c½")
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // seeded, so that a failure can be seen again
	for range 20_000 {
		segment := make([]rune, 1+random.IntN(8))
		for i := range segment {
			segment[i] = pool[random.IntN(len(pool))]
		}
		checkSegmentLaws(t, string(segment))
	}
}

func TestEnvName(t *testing.T) {
	tests := map[string]struct {
		path []string
		want string // "" for none
	}{
		"segments are joined":               {[]string{"db", "password"}, "DB_PASSWORD"},
		"words are split":                   {[]string{"awsAccessKeyId"}, "AWS_ACCESS_KEY_ID"},
		"a digit belongs to its word":       {[]string{"s3Bucket"}, "S3_BUCKET"},
		"single letters":                    {[]string{"xYZ"}, "X_Y_Z"},
		"a digit may start a later segment": {[]string{"db", "2fa"}, "DB_2FA"},
		"a digit may not start the name":    {[]string{"2fa", "db"}, ""},
		"a letter outside ASCII":            {[]string{"straße"}, ""},
		"no segments":                       {nil, ""},
		"an empty segment":                  {[]string{"a", ""}, ""},
		"a segment that is not canonical":   {[]string{"a-b"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := EnvName(test.path)
			if got != test.want || ok != (test.want != "") {
				t.Errorf("EnvName = %q, %v; want %q", got, ok, test.want)
			}
		})
	}
}
