// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
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

// BenchmarkStart is what a command takes that asks nothing; make bench-plugin prints it.
func BenchmarkStart(b *testing.B) {
	plugin := filepath.Join(b.TempDir(), "kubectl-latchkey")
	if output, err := exec.CommandContext(b.Context(), "go", "build", "-buildvcs=false", "-ldflags", "-s -w", "-o", plugin, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, output)
	}
	for _, args := range [][]string{{"version", "--client"}, {"set", "--help"}} {
		b.Run(strings.Join(args, "_"), func(b *testing.B) {
			for b.Loop() {
				if err := exec.CommandContext(b.Context(), plugin, args...).Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
