// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"testing"
)

func TestClaimPorts_BlockThatIsRemembered_IsKeptUnlessSomethingElseTookIt(t *testing.T) {
	// No new block begins there: a new one depends on the folder's name, so it could be the old one by chance.
	const old = ports(20510)
	for name, tt := range map[string]struct {
		old     ports
		running bool
		taken   int // by something else
		kept    bool
	}{
		"a first claim gets a block":                                {},
		"a block that is free is kept":                              {old: old, kept: true},
		"a block that the running stack holds is kept":              {old: old, running: true, taken: 20512, kept: true},
		"a block of which something else took a port is changed":    {old: old, taken: 20512},
		"a port that something else took beside it does not matter": {old: old, taken: 20509, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ports")
			got, err := claimPorts(path, tt.old, tt.running, func(number int) bool { return number != tt.taken })
			if err != nil || (got == old) != tt.kept || got < firstPort || got+block > lastPort {
				t.Errorf("block %d, %v, want %d kept: %t", got, err, old, tt.kept)
			}
			if again, err := loadPorts(path); !tt.kept && (again != got || err != nil) {
				t.Errorf("remembered %d, %v, want %d", again, err, got)
			}
		})
	}
	if _, err := claimPorts(filepath.Join(t.TempDir(), "ports"), 0, false, func(int) bool { return false }); err == nil {
		t.Error("a block was found where no port is free")
	}
}

func TestPorts_AllPurposes_FitIntoABlock(t *testing.T) {
	if len(purposes) > block {
		t.Errorf("%d ports are needed, a block has %d", len(purposes), block)
	}
	if got, want := ports(20000).describe("etcd"), "client 20000, peer 20001"; got != want {
		t.Errorf("described as %q, want %q", got, want)
	}
}
