// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package digest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

func key(t *testing.T, fill string) Key {
	t.Helper()
	k, ok := NewKey([]byte(strings.Repeat(fill, KeyLen)))
	if !ok {
		t.Fatal("a key of the right length is refused")
	}
	return k
}

func TestSum_AnythingElse_GivesAnotherDigest(t *testing.T) {
	k := key(t, "a")
	same := k.Sum(PurposeBundle, "alice", "x", "y")
	if same != k.Sum(PurposeBundle, "alice", "x", "y") {
		t.Error("the same input has two digests")
	}
	for name, other := range map[string]string{
		"another key":             key(t, "b").Sum(PurposeBundle, "alice", "x", "y"),
		"another purpose":         k.Sum(PurposeWorkload, "alice", "x", "y"),
		"another namespace":       k.Sum(PurposeBundle, "bob", "x", "y"),
		"parts cut elsewhere":     k.Sum(PurposeBundle, "alice", "xy", ""),
		"parts in another order":  k.Sum(PurposeBundle, "alice", "y", "x"),
		"one part less":           k.Sum(PurposeBundle, "alice", "x"),
		"the namespace as a part": k.Sum(PurposeBundle, "", "alice", "x", "y"),
	} {
		if other == same || Equal(other, same) {
			t.Errorf("%s gives the same digest", name)
		}
	}
	if !Equal(same, same) {
		t.Error("a digest does not equal itself")
	}
}

func TestNewKey_WrongLength_IsRefused(t *testing.T) {
	for _, n := range []int{0, KeyLen - 1, KeyLen + 1} {
		if _, ok := NewKey(make([]byte, n)); ok {
			t.Errorf("a key of %d bytes is taken", n)
		}
	}
}

func TestKey_Printed_ShowsNothing(t *testing.T) {
	k := key(t, "c")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, k); strings.Contains(got, "cc") || strings.Contains(got, "99") {
			t.Errorf("%s prints the key: %s", verb, got)
		}
	}
}

// The definition, written down plainly.
func TestSum_PartsOfAnyLength_IsTheHMACOfLengthsAndParts(t *testing.T) {
	k := key(t, "a")
	for _, n := range []int{0, 1, 503, 504, 505, 512, 1016, 1017, 100_000} {
		part := strings.Repeat("v", n)
		h := hmac.New(sha256.New, k.Bytes())
		for _, p := range []string{string(PurposeEntry), "alice", part, "after"} {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
			h.Write([]byte(p))
		}
		if got, want := k.Sum(PurposeEntry, "alice", part, "after"), base64.RawURLEncoding.EncodeToString(h.Sum(nil)); got != want {
			t.Errorf("with a part of %d bytes: %s, want %s", n, got, want)
		}
		p := k.Parts(PurposeEntry, "alice")
		p.Bytes([]byte(part))
		p.Text("after")
		if got, want := p.Sum(), k.Sum(PurposeEntry, "alice", part, "after"); got != want {
			t.Errorf("with a part of %d bytes that is no text: %s, want %s", n, got, want)
		}
	}
}

func BenchmarkShort(b *testing.B) {
	k, _ := NewKey(make([]byte, KeyLen))
	b.ReportAllocs()
	for b.Loop() {
		k.Short(PurposeEntry, "alice", "latchkey-user-env", "GITHUB_TOKEN", "a sample value of a usual length")
	}
}
