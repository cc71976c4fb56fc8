// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checked runs krew's own check on a manifest.
func checked(t *testing.T, path string) ([]byte, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "-C", "../tools/krew", "tool", "validate-krew-manifest", "-manifest", path, "-skip-install")
	return command.CombinedOutput()
}

func TestRun_OnePlatformTwice_TheSameBytesThatRunAndThatKrewTakes(t *testing.T) {
	o := options{
		source: "../..", version: "v1.2.3", url: "https://releases.invalid/download",
		platforms: runtime.GOOS + "/" + runtime.GOARCH,
	}
	var first []byte
	for range 2 {
		o.output = t.TempDir()
		if err := o.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		sums, err := os.ReadFile(filepath.Join(o.output, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, sums) {
			t.Errorf("sums differ: %s, %s", first, sums)
		}
		first = sums
	}
	archive := fmt.Sprintf("kubectl-latchkey_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH)
	packed, err := os.ReadFile(filepath.Join(o.output, archive))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%x  %s\n", sha256.Sum256(packed), archive); want != string(first) {
		t.Errorf("SHA256SUMS: %q, want %q", first, want)
	}
	if output, err := checked(t, filepath.Join(o.output, "latchkey.yaml")); err != nil {
		t.Errorf("krew: %v\n%s", err, output)
	}

	if output, err := exec.CommandContext(t.Context(), "tar", "-xzf", filepath.Join(o.output, archive), "-C", o.output).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, output)
	}
	output, err := exec.CommandContext(t.Context(), filepath.Join(o.output, "kubectl-latchkey"), "version", "--client").Output()
	if err != nil || string(output) != "plugin v1.2.3\n" {
		t.Errorf("version: %q, %v", output, err)
	}
	page, err := os.ReadFile(filepath.Join(o.output, "man", "kubectl-latchkey-set.1"))
	if err != nil || !strings.Contains(string(page), "Create or change a user secret") {
		t.Errorf("the manual page of set: %v", err)
	}
}

func TestManifest_AllPlatforms_KrewTakesIt(t *testing.T) {
	var all []platform
	for _, system := range []string{"linux", "darwin", "windows"} {
		for _, arch := range []string{"amd64", "arm64"} {
			all = append(all, platform{os: system, arch: arch, program: "kubectl-latchkey", archive: system + arch, sum: strings.Repeat("0a", 32)})
		}
	}
	path := filepath.Join(t.TempDir(), "latchkey.yaml")
	for name, tt := range map[string]struct {
		text []byte
		ok   bool
	}{
		"as it is":                {manifest("v0.0.0-gabcdef", "https://releases.invalid", all), true},
		"with a wrong version":    {manifest("abcdef", "https://releases.invalid", all), false},
		"with a platform doubled": {manifest("v1.2.3", "https://releases.invalid", append(all, all[0])), false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, tt.text, 0o600); err != nil {
				t.Fatal(err)
			}
			if output, err := checked(t, path); (err == nil) != tt.ok {
				t.Errorf("krew: %v\n%s", err, output)
			}
		})
	}
}

func TestPack_ForWindows_AZipWithFilesAndModes(t *testing.T) {
	packed, err := pack(platform{os: "windows"}, []file{{"a.exe", []byte("program"), 0o755}, {"man/b.1", []byte("page"), 0o644}})
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range archive.File {
		// What programs show that do not know the newer field beside it.
		if year := 1980 + int(f.ModifiedDate>>9); year != made.Year() || !f.Modified.Equal(made) {
			t.Errorf("%s was made in %d, or %s, want %s", f.Name, year, f.Modified, made)
		}
		content, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		got[f.Name] = f.Mode().String() + " " + string(text)
	}
	want := map[string]string{"a.exe": "-rwxr-xr-x program", "man/b.1": "-rw-r--r-- page"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
