// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestPlugin_Imports_NothingThatOpens holds the promise that whoever has the plugin alone
// can seal and not open: what it is built from has no private half, no keyring, no store.
func TestPlugin_Imports_NothingThatOpens(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(output))
	if !slices.Contains(deps, "github.com/latchkey-dev/latchkey/internal/seal") {
		t.Fatal("the list of dependencies lacks the package that seals")
	}
	for _, forbidden := range []string{"seal/unseal", "keyring", "server/store"} {
		if _, err := os.Stat("../../internal/" + forbidden); err != nil {
			t.Errorf("what must not be imported is not there any more: %v", err)
		}
		if slices.Contains(deps, "github.com/latchkey-dev/latchkey/internal/"+forbidden) {
			t.Errorf("the plugin imports internal/%s", forbidden)
		}
	}
}
