// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/importing"
)

func TestImport_Confirmation_IsForWhatWasShownAlone(t *testing.T) {
	s := newStand(t, Options{})
	plan := func(action string) importing.Plan { return importing.Plan{{Key: "A", Action: action}} }
	shown := s.tokenOf("alice", []byte("A=1"), plan(importing.Create))
	if again := s.tokenOf("alice", []byte("A=1"), plan(importing.Create)); again != shown {
		t.Errorf("the same import has another token: %s and %s", shown, again)
	}
	if sum := sha256.Sum256([]byte("A=1")); strings.Contains(shown, hex.EncodeToString(sum[:8])) {
		t.Error("the token is a hash of the file")
	}
	for name, other := range map[string]string{
		"another file":      s.tokenOf("alice", []byte("A=2"), plan(importing.Create)),
		"another plan":      s.tokenOf("alice", []byte("A=1"), plan(importing.Overwrite)),
		"another namespace": s.tokenOf("bob", []byte("A=1"), plan(importing.Create)),
		"a page of its own": newStand(t, Options{}).tokenOf("alice", []byte("A=1"), plan(importing.Create)),
		"nothing":           s.tokenOf("alice", nil, nil),
	} {
		if other == shown {
			t.Errorf("%s has the same token", name)
		}
	}
}
