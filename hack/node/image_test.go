// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// file is what a tar says of one file, without the time, and its content.
type file struct {
	kind    byte
	mode    int64
	owner   int
	link    string
	content string
}

func readTar(t *testing.T, archive []byte) map[string]file {
	t.Helper()
	files := map[string]file{}
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = file{header.Typeflag, header.Mode, header.Uid, header.Linkname, string(content)}
	}
}

func written(t *testing.T, i image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := i.write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAnImageNamesItsPartsByTheirDigests(t *testing.T) {
	archive := readTar(t, written(t, newBusyboxImage([]byte("program"), []string{"busybox", "sh", "cat"})))
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal([]byte(archive["manifest.json"].content), &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest) != 1 || len(manifest[0].Layers) != 1 || !cmp.Equal(manifest[0].RepoTags, []string{busyboxImage}) {
		t.Fatalf("manifest %+v", manifest)
	}
	var config struct {
		Architecture, OS string
		Rootfs           struct {
			Type    string
			DiffIDs []string `json:"diff_ids"`
		}
		Config imageConfig
	}
	if err := json.Unmarshal([]byte(archive[manifest[0].Config].content), &config); err != nil {
		t.Fatal(err)
	}
	layer := archive[manifest[0].Layers[0]].content
	if diff := cmp.Diff([]string{"sha256:" + digest([]byte(layer))}, config.Rootfs.DiffIDs); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
	if config.Architecture != runtime.GOARCH || config.OS != "linux" || !cmp.Equal(config.Config.Cmd, []string{"sh"}) {
		t.Errorf("configuration %+v", config)
	}
	files := readTar(t, []byte(layer))
	for path, want := range map[string]file{
		"bin/busybox": {tar.TypeReg, 0o755, 0, "", "program"},
		"bin/sh":      {tar.TypeSymlink, 0o777, 0, "busybox", ""},
		"bin/cat":     {tar.TypeSymlink, 0o777, 0, "busybox", ""},
		"usr/bin/env": {tar.TypeSymlink, 0o777, 0, "/bin/busybox", ""},
		"home/app/":   {tar.TypeDir, 0o755, 1000, "", ""},
		"tmp/":        {tar.TypeDir, 0o1777, 0, "", ""},
	} {
		if diff := cmp.Diff(want, files[path], cmp.AllowUnexported(file{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	if got := files["etc/passwd"].content; !strings.Contains(got, "app:x:1000:1000:") {
		t.Errorf("accounts:\n%s", got)
	}
}

func TestTheSameContentMakesTheSameImage(t *testing.T) {
	one, two := written(t, newPauseImage([]byte("x"))), written(t, newPauseImage([]byte("x")))
	if !bytes.Equal(one, two) {
		t.Error("two images of the same content differ")
	}
	if bytes.Equal(one, written(t, newPauseImage([]byte("y")))) {
		t.Error("images of different content are the same")
	}
}

func TestEveryFolderOfAnImageComesBeforeWhatIsInIt(t *testing.T) {
	for _, i := range []image{newBusyboxImage(nil, []string{"sh"}), newPauseImage(nil)} {
		seen := map[string]bool{"./": true}
		for _, e := range i.entries {
			if parent := filepath.Dir(strings.TrimSuffix(e.path, "/")) + "/"; !seen[parent] {
				t.Errorf("%s: %s comes before %s", i.name, e.path, parent)
			}
			seen[e.path] = true
		}
	}
}
