// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package naming

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

func digestOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:8])
}

func TestObject(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"a name that can be an object's is it": {"github-token", "github-token"},
		"dots are fine":                        {"a.b", "a.b"},
		"200 bytes are fine":                   {strings.Repeat("a", 200), strings.Repeat("a", 200)},
		"more get a digest":                    {strings.Repeat("a", 201), strings.Repeat("a", 40) + "-" + digestOf(strings.Repeat("a", 201))},
		"capitals get a digest":                {"GITHUB_TOKEN", "github-token-" + digestOf("GITHUB_TOKEN")},
		"blanks get a digest":                  {"my  token", "my-token-" + digestOf("my  token")},
		"a dash at an end gets a digest":       {"-a-", "a-" + digestOf("-a-")},
		"a name without letters is its digest": {"***", digestOf("***")},
		"a name of dots is its digest":         {"...", digestOf("...")},
		"other scripts are their digest":       {"ключ", digestOf("ключ")},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Object(tt.in); got != tt.want {
				t.Errorf("Object(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestEveryNameHasAnObjectNameOfItsOwn(t *testing.T) {
	names := []string{
		"a", "A", "á", "a ", "a b", "a_b", "a-b", "A-B", "a.b", "-", "--", "-a", "a-", "*", "**", "\x00", "\xff", "1", "0x",
		strings.Repeat("a", 200), strings.Repeat("a", 201), strings.Repeat("a", 253), strings.Repeat("-", 253), strings.Repeat("é", 126),
		strings.Repeat("A", 39) + "-", strings.Repeat("A", 40) + "-", strings.Repeat("A", 40), strings.Repeat("A", 41),
	}
	for what, nameOf := range map[string]func(string) string{"Object": Object, "Digest": Digest} {
		t.Run(what, func(t *testing.T) {
			seen := map[string]string{}
			for _, name := range names {
				got := nameOf(name)
				if problems := validation.IsDNS1123Subdomain(got); len(problems) > 0 {
					t.Errorf("%q leads to %q, which no object can have: %v", name, got, problems)
				}
				if other, taken := seen[got]; taken {
					t.Errorf("%q and %q both lead to %q", name, other, got)
				}
				if got != nameOf(name) {
					t.Errorf("%q leads to two names", name)
				}
				seen[got] = name
			}
		})
	}
}
