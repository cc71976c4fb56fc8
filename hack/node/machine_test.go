// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseMounts_BelowAFolder_TheLastComesFirst(t *testing.T) {
	const mounts = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:40 / /src/bin/node/kubelet/pods/1/volumes/a rw,relatime shared:9 master:2 - tmpfs tmpfs rw,size=64k
41 22 254:0 /x /src/bin/node/kubelet/pods/1/with\040space\134 rw - ext4 /dev/vda rw
42 22 254:0 /x /src/bin/nodes rw - ext4 /dev/vda rw
`
	want := []string{`/src/bin/node/kubelet/pods/1/with space\`, "/src/bin/node/kubelet/pods/1/volumes/a"}
	if diff := cmp.Diff(want, parseMounts(mounts, "/src/bin/node")); diff != "" {
		t.Errorf("mount points (-want +got):\n%s", diff)
	}
}

func TestHierarchies_OfBothVersions_HaveTheirControllers(t *testing.T) {
	for name, tt := range map[string]struct {
		files           map[string]string
		points, control []string
	}{
		"v2 alone": {
			files:  map[string]string{"cgroup.procs": "", "cgroup.controllers": "cpu pids\n", "system.slice/cgroup.procs": ""},
			points: []string{"."}, control: []string{"cpu", "pids"},
		},
		"v1 with v2 beside it": {
			files:  map[string]string{"cpu,cpuacct/cgroup.procs": "", "memory/cgroup.procs": "", "unified/cgroup.procs": "", "unified/cgroup.controllers": "pids io\n"},
			points: []string{"cpu,cpuacct", "memory", "unified"}, control: []string{"cpu", "cpuacct", "memory", "pids", "io"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for file, content := range tt.files {
				write(t, filepath.Join(folder, file), content)
			}
			if name != "v2 alone" { // as distributions do
				if err := os.Symlink("cpu,cpuacct", filepath.Join(folder, "cpu")); err != nil {
					t.Fatal(err)
				}
			}
			points, err := hierarchies(folder)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.control, controllers(points)); diff != "" {
				t.Errorf("controllers (-want +got):\n%s", diff)
			}
			for i := range points {
				points[i], _ = filepath.Rel(folder, points[i])
			}
			if diff := cmp.Diff(tt.points, points); diff != "" {
				t.Errorf("hierarchies (-want +got):\n%s", diff)
			}
		})
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
	n := newNode(t.TempDir(), 0)
	if _, known, err := n.loadMachine(); known || err != nil {
		t.Fatalf("before: known %t, %v", known, err)
	}
	want := machine{Settings: map[string]string{"vm/panic_on_oom": "0"}, Missing: []string{"/run/netns"}, Network: true}
	if err := n.saveMachine(want); err != nil {
		t.Fatal(err)
	}
	got, known, err := n.loadMachine()
	if diff := cmp.Diff(want, got); diff != "" || !known || err != nil {
		t.Errorf("after: known %t, %v; machine (-want +got):\n%s", known, err, diff)
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
