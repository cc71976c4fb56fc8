// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package agentpath

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vector is a case of the contract about paths.
type vector struct {
	Kind, Name      string
	Path, Canonical []string
	Idempotent      bool
}

func vectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("../../../test/conformance/testdata/golem-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all, paths []vector
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.Kind == "path" {
			paths = append(paths, v)
		}
	}
	if len(paths) == 0 {
		t.Fatal("no vectors of kind path")
	}
	return paths
}

func TestCanonical_VectorsOfTheContract_AreMet(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			raw := make([]string, len(v.Path))
			bounded := len(v.Path) > 0
			idempotent := true
			for i, segment := range v.Path {
				raw[i] = CanonicalSegment(segment)
				bounded = bounded && raw[i] != ""
				idempotent = idempotent && CanonicalSegment(raw[i]) == raw[i]
				if raw[i] != "" && !IsCanonical(raw[i]) {
					t.Errorf("IsCanonical(%q) is false", raw[i])
				}
			}
			if diff := cmp.Diff(v.Canonical, raw); diff != "" {
				t.Errorf("canonical segments differ (-want +got):\n%s", diff)
			}
			if idempotent != v.Idempotent {
				t.Errorf("converting twice is the same: %v, want %v", idempotent, v.Idempotent)
			}

			got, err := Canonical(v.Path)
			if bounded {
				if err != nil {
					t.Fatalf("Canonical: %v", err)
				}
				if diff := cmp.Diff(v.Canonical, got); diff != "" {
					t.Errorf("canonical path differs (-want +got):\n%s", diff)
				}
			} else if err == nil {
				t.Errorf("Canonical takes what is empty in canonical form: %q", got)
			}
		})
	}
}

func FuzzPath(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(strings.Join(v.Path, " "))
	}
	f.Add("a_ǰb_İ_ßΣ_ŉ_\u1fe7")
	f.Fuzz(checkSegmentLaws)
}

// checkSegmentLaws checks what holds for every segment.
func checkSegmentLaws(t *testing.T, segment string) {
	t.Helper()
	canonical := CanonicalSegment(segment)
	if IsCanonical(canonical) != (canonical != "") {
		t.Fatalf("CanonicalSegment(%q) = %q, which is not canonical", segment, canonical)
	}
	// And the other way round: what is canonical has an origin.
	if IsCanonical(segment) && !strings.Contains(segment, "i\u0307") {
		if got := CanonicalSegment(origin(segment)); got != segment {
			t.Fatalf("%q is canonical, and %q becomes %q", segment, origin(segment), got)
		}
	}
	if name, ok := EnvName([]string{canonical}); ok {
		for i, c := range []byte(name) {
			if c != '_' && (c < 'A' || c > 'Z') && (c < '0' || c > '9' || i == 0) {
				t.Fatalf("EnvName(%q) = %q", canonical, name)
			}
		}
	}
	path, err := Canonical([]string{segment})
	if wantErr := canonical == "" || len(canonical) > MaxSegmentBytes; (err != nil) != wantErr {
		t.Fatalf("Canonical of %q: %v", segment, err)
	}
	if err == nil {
		if err := CheckCanonical(path); err != nil {
			t.Fatalf("Canonical returns %q: %v", path, err)
		}
	}
}

// origin separates the words of a canonical segment, and writes the small
// letter that a marked capital comes from.
func origin(segment string) string {
	var out strings.Builder
	runes := []rune(segment)
	for i := 0; i < len(runes); i++ {
		end := i + 1
		for end < len(runes) && !isAlphanumeric(runes[end]) {
			end++
		}
		word := string(runes[i:end])
		if i > 0 && isUpper(runes[i]) {
			out.WriteByte('_')
		}
		if end > i+1 {
			for c := rune(0x80); c < 0x2000; c++ {
				if string(appendUpper(nil, c)) == word {
					word = string(c)
					break
				}
			}
		}
		out.WriteString(word)
		i = end - 1
	}
	return out.String()
}

func BenchmarkCanonicalSegment(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		CanonicalSegment("AWSAccessKeyID_for_production")
	}
}
