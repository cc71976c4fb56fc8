// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzCheck(f *testing.F) {
	for _, v := range vectors(f, "value") {
		f.Add(string(v.Type), string(v.Value))
	}
	f.Fuzz(func(t *testing.T, typText, value string) {
		typ, err := ParseType([]byte(typText))
		if err != nil {
			return
		}
		if v, err := decode("value", []byte(value), MaxValueBytes, maxValueDepth); err == nil && !leaks(typText) {
			checkForLeaks(t, typ, v)
		}
		canonical, err := Check(typ, []byte(value))
		if err != nil {
			return
		}
		if !json.Valid(canonical) {
			t.Fatalf("printed %q, which is no JSON", canonical)
		}
		again, err := CheckStored(typ, canonical)
		if err != nil {
			t.Fatalf("printed %q, which is refused: %v", canonical, err)
		}
		if !bytes.Equal(canonical, again) {
			t.Fatalf("printed %q, and from that %q", canonical, again)
		}
		if back := ParseRaw(typ, PrintRaw(typ, canonical)); !bytes.Equal(canonical, back) {
			t.Fatalf("printed %q, and from its raw form %q", canonical, back)
		}
	})
}

func FuzzParseType(f *testing.F) {
	for _, kind := range []string{"type", "value"} {
		for _, v := range vectors(f, kind) {
			f.Add(string(v.Type))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		typ, err := ParseType([]byte(text))
		if err != nil {
			if len(err.Error()) > 16<<10 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		stored, err := typ.MarshalStored()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseStoredType(stored)
		if err != nil {
			t.Fatalf("stored form %s: %v", stored, err)
		}
		if diff := cmp.Diff(typ, back, cmp.AllowUnexported(Type{}, member{})); diff != "" {
			t.Fatalf("stored and read back (-want +got):\n%s", diff)
		}
		echo, err := typ.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if len(echo) > MaxTypeBytes {
			return // null members made it longer than what it was parsed from
		}
		again, err := ParseType(echo)
		if err != nil {
			t.Fatalf("echo %s: %v", echo, err)
		}
		if diff := cmp.Diff(typ, again, cmp.AllowUnexported(Type{}, member{})); diff != "" {
			t.Fatalf("echoed and parsed again (-want +got):\n%s", diff)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, v := range vectors(f, "path") {
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
	path, err := CanonicalPath([]string{segment})
	if wantErr := canonical == "" || len(canonical) > MaxSegmentBytes; (err != nil) != wantErr {
		t.Fatalf("CanonicalPath of %q: %v", segment, err)
	}
	if err == nil {
		if err := CheckCanonicalPath(path); err != nil {
			t.Fatalf("CanonicalPath returns %q: %v", path, err)
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
