// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const someMounts = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:30 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
31 22 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
32 22 0:32 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
40 22 0:40 / /src/bin/node/kubelet/pods/1/volumes/a rw,relatime shared:9 master:2 - tmpfs tmpfs rw,size=64k
41 22 254:0 /x /src/bin/node/kubelet/pods/1/with\040space\134 rw - ext4 /dev/vda rw
42 22 254:0 /x /src/bin/nodes rw - ext4 /dev/vda rw
`

func someParsedMounts(t *testing.T) []mount {
	t.Helper()
	mounts, err := parseMounts(strings.NewReader(someMounts))
	if err != nil {
		t.Fatal(err)
	}
	return mounts
}

func TestBelowListsTheLastMountFirst(t *testing.T) {
	want := []string{`/src/bin/node/kubelet/pods/1/with space\`, "/src/bin/node/kubelet/pods/1/volumes/a"}
	if diff := cmp.Diff(want, below(someParsedMounts(t), "/src/bin/node")); diff != "" {
		t.Errorf("mount points (-want +got):\n%s", diff)
	}
}

func TestParseMountsRefusesWhatItDoesNotKnow(t *testing.T) {
	for name, line := range map[string]string{
		"a line without a hyphen":          "22 1 254:0 / / rw,relatime shared:1 ext4 /dev/vda rw",
		"a line that ends with the hyphen": "22 1 254:0 / / rw,relatime -",
		"too few fields before the hyphen": "22 1 254:0 / - ext4 /dev/vda rw",
	} {
		if got, err := parseMounts(strings.NewReader(line)); err == nil {
			t.Errorf("%s: %v, want an error", name, got)
		}
	}
}

func TestHierarchies(t *testing.T) {
	want := []string{"/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/unified"}
	if diff := cmp.Diff(want, hierarchies(someParsedMounts(t))); diff != "" {
		t.Errorf("hierarchies (-want +got):\n%s", diff)
	}
}

func TestControllersAreThoseOfBothVersions(t *testing.T) {
	read := func(path string) ([]byte, error) {
		if path != "/sys/fs/cgroup/unified/cgroup.controllers" {
			return nil, fs.ErrNotExist
		}
		return []byte("pids io\n"), nil
	}
	got := controllers(someParsedMounts(t), read)
	if diff := cmp.Diff([]string{"rw", "memory", "rw", "cpu", "cpuacct", "pids", "io"}, got); diff != "" {
		t.Errorf("controllers (-want +got):\n%s", diff)
	}
}

func TestTheMachineIsPutBack(t *testing.T) {
	settings, folders := t.TempDir(), t.TempDir()
	for _, setting := range kernelSettings {
		write(t, filepath.Join(settings, setting), "1\n")
	}
	changed := filepath.Join(settings, "kernel", "panic")
	used, unused := filepath.Join(folders, "used"), filepath.Join(folders, "unused")
	before := filepath.Join(folders, "before")
	mkdir(t, before)
	m, err := lookAtMachine(settings, []string{used, unused, before})
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{used, unused} {
		mkdir(t, folder)
	}
	write(t, filepath.Join(used, "of somebody else"), "")
	write(t, changed, "10\n")
	if err := m.restore(t.Context(), settings); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(changed); err != nil || string(got) != "1\n" {
		t.Errorf("kernel/panic is %q, %v; want what it was", got, err)
	}
	if _, err := os.Stat(unused); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that came with the node and is empty: %v, want it gone", err)
	}
	for name, folder := range map[string]string{"holds something": used, "was there before": before} {
		if _, err := os.Stat(folder); err != nil {
			t.Errorf("a folder that %s: %v, want it left", name, err)
		}
	}
}

func TestTheMachineIsRemembered(t *testing.T) {
	l := layout{root: t.TempDir()}
	if _, known, err := l.loadMachine(); known || err != nil {
		t.Fatalf("before: known %t, %v", known, err)
	}
	want := machine{Settings: map[string]string{"vm/panic_on_oom": "0"}, Missing: []string{"/run/netns"}, Network: true}
	if err := l.saveMachine(want); err != nil {
		t.Fatal(err)
	}
	got, known, err := l.loadMachine()
	if err != nil || !known {
		t.Fatalf("after: known %t, %v", known, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("machine (-want +got):\n%s", diff)
	}
}

func TestRemoveTreeRemovesTheMarkerLast(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "node")
	last := filepath.Join(folder, "machine.json")
	write(t, last, "{}")
	write(t, filepath.Join(folder, "a", "b"), "")
	if err := removeTree(folder, last); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want the folder gone", err)
	}
}

func mkdir(t *testing.T, folder string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	mkdir(t, filepath.Dir(path))
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
