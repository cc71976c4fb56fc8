// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFindRoot(t *testing.T) {
	root := t.TempDir()
	inner := filepath.Join(root, "hack", "controlplane", "etcd")
	if err := os.MkdirAll(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "go.mod"), "module "+modulePath+"\n\ngo 1.26\n")
	write(t, filepath.Join(inner, "go.mod"), "module "+modulePath+"/hack/controlplane/etcd\n")
	for name, dir := range map[string]string{"the root itself": root, "a module inside of the tree": inner} {
		if got, err := FindRoot(dir); err != nil || got != root {
			t.Errorf("%s: %q, %v; want %q", name, got, err, root)
		}
	}
	if got, err := FindRoot(t.TempDir()); err == nil {
		t.Errorf("outside of the tree: %q, want an error", got)
	}
}

func TestLastLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for name, test := range map[string]struct {
		content string
		want    []string
	}{
		"an empty log":           {"", nil},
		"fewer lines than asked": {"a\nb", []string{"a", "b"}},
		"more lines than asked":  {"a\nb\nc\nd\n", []string{"b", "c", "d"}},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, path, test.content)
			got, err := LastLines(path, 3)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
