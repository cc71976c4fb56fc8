// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package digest

import (
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
