// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestNewFiles_NoPlaceInMemory_IsRefusedAndNothingIsWritten(t *testing.T) {
	disk := t.TempDir()
	if inMemory(disk) {
		disk = "/" // where even temporary files are in memory
	}
	_, err := newFiles([]string{"", "relative", disk, "/no/such/place", "/proc"}, map[string]map[string][]byte{"user": {"t": []byte("x")}})
	if !errors.Is(err, ErrNoMemory) {
		t.Errorf("newFiles: %v, want ErrNoMemory", err)
	}
	if found, _ := filepath.Glob(filepath.Join(disk, prefix+"*")); len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}
}

func TestNewFiles_AKeyThatLeadsOut_WritesNothingAndLeavesNoFolder(t *testing.T) {
	for _, name := range []string{"../../escaped", "../user2", "a/b", ".."} {
		f, err := NewFiles(map[string]map[string][]byte{"user": {name: []byte("x")}})
		if err == nil {
			_ = f.Remove()
			t.Errorf("NewFiles took the key %q", name)
		}
	}
	if found, _ := filepath.Glob("/dev/shm/" + "escaped"); len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}
}

// Each begins by removing what nobody holds, and must not take another's new folder for
// that.
func TestNewFiles_ManyAtOnce_KeepTheirFiles(t *testing.T) {
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 50 {
				f, err := NewFiles(map[string]map[string][]byte{"user": {"t": []byte("x")}})
				if err != nil {
					t.Error(err)
					return
				}
				if text, err := os.ReadFile(f.Path + "/user/t"); err != nil || string(text) != "x" {
					t.Errorf("%q, %v", text, err)
				}
				if err := f.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
