// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/digest"
)

func TestRecord_AsText_IsReadBack(t *testing.T) {
	made := Made{
		Input: digest.Short{1}, Digest: digest.Short{2}, Since: time.UnixMicro(1764000000123456).UTC(),
		Shape: Shape{Raw: 24576, Doc: 65536, Problem: NotText},
	}
	r := NewRecord(inputKey(), "alice", v1alpha1.BundleUserEnv)
	r.Put("A", made)
	r.Put("B", Made{})
	again := ParseRecord(inputKey(), "alice", v1alpha1.BundleUserEnv, r.String())
	got, ok := again.Get("A")
	if _, other := again.Get("C"); !ok || got != made || other || !again.Valid() {
		t.Errorf("read back %+v, %t", got, ok)
	}
	if again.String() != r.String() {
		t.Error("the same record is another text")
	}
}

// TestRecord_ThatLatchkeyDidNotMake_IsEmpty: who can write a bundle can write its record.
func TestRecord_ThatLatchkeyDidNotMake_IsEmpty(t *testing.T) {
	r := NewRecord(inputKey(), "alice", v1alpha1.BundleUserEnv)
	r.Put("A", Made{})
	text := r.String()
	other, _ := digest.NewKey([]byte(strings.Repeat("o", digest.KeyLen)))
	for name, got := range map[string]*Record{
		"nothing":                 ParseRecord(inputKey(), "alice", v1alpha1.BundleUserEnv, ""),
		"no base64":               ParseRecord(inputKey(), "alice", v1alpha1.BundleUserEnv, "{}"),
		"altered":                 ParseRecord(inputKey(), "alice", v1alpha1.BundleUserEnv, "A"+text[1:]),
		"cut off":                 ParseRecord(inputKey(), "alice", v1alpha1.BundleUserEnv, text[:len(text)-8]),
		"of another namespace":    ParseRecord(inputKey(), "bob", v1alpha1.BundleUserEnv, text),
		"of another bundle":       ParseRecord(inputKey(), "alice", v1alpha1.BundleUserFiles, text),
		"under another key":       ParseRecord(other, "alice", v1alpha1.BundleUserEnv, text),
		"of an entry beside them": ParseRecord(inputKey(), "alice", v1alpha1.BundleUserEnv, text+text),
	} {
		if _, has := got.Get("A"); has || got.Valid() {
			t.Errorf("%s: counts", name)
		}
	}
}

// TestRecord_OfTheMostEntries_FitsAnnotations leaves half of them to others.
func TestRecord_OfTheMostEntries_FitsAnnotations(t *testing.T) {
	r := NewRecord(inputKey(), "alice", v1alpha1.BundleUserEnv)
	for i := range maxRecorded + 10 {
		r.Put(fmt.Sprint(i), Made{})
	}
	if got := len(r.String()); r.Whole() || got > 136<<10 || got != len(r.Recorded().String()) {
		t.Errorf("the record has %d bytes", got)
	}
}
