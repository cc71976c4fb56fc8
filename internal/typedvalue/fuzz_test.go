// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"bytes"
	"encoding/json"
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
		var kept bytes.Buffer
		json.HTMLEscape(&kept, stored) // as the Kubernetes API does
		back, err := ParseStoredType(kept.Bytes())
		if err != nil {
			t.Fatalf("stored form %s: %v", kept.Bytes(), err)
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
