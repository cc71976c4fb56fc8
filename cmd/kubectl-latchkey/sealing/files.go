// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2/maybe"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/manifest"
)

// Stdin is the path of standard input.
const Stdin = "-"

// suffixes are those of files in folders that are looked at; a file that is named is
// looked at whatever its name.
var suffixes = []string{".yaml", ".yml", ".json"}

// find returns the files below paths, in order. It follows no link and passes over what
// begins with a dot, such as .git.
func find(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		err = filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && at != path && strings.HasPrefix(entry.Name(), "."):
				return filepath.SkipDir
			case entry.Type().IsRegular() && slices.Contains(suffixes, strings.ToLower(filepath.Ext(at))):
				files = append(files, at)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// Objects returns the objects of files and folders, and says what cannot be read.
func Objects(paths []string, stdin io.Reader) (objects []*manifest.Object, unread []string, err error) {
	if !slices.Contains(paths, Stdin) {
		if paths, err = find(paths); err != nil {
			return nil, nil, err
		}
	}
	for _, path := range paths {
		text, err := read(path, stdin)
		if err != nil {
			return nil, nil, err
		}
		found, skipped := manifest.Read(text)
		objects = append(objects, found...)
		for _, s := range skipped {
			unread = append(unread, fmt.Sprintf("%s:%d: %s", path, s.Line, s.Reason))
		}
	}
	return objects, unread, nil
}

// say writes a line for people. Where nobody reads it, nothing is lost.
func say(to io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(to, format, args...) }

// read reads a file, or standard input, of a size that manifests have.
func read(path string, stdin io.Reader) ([]byte, error) {
	in := stdin
	if path != Stdin {
		f, err := os.Open(path) //nolint:gosec // the file that the caller named
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // it was read
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, manifest.MaxBytes+1))
	if err == nil && len(text) > manifest.MaxBytes {
		err = errors.New("the file is too large")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return text, nil
}

// write replaces a file in one step, and keeps its mode. Where the path is a link, the
// file that it leads to is replaced.
func write(path string, text []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return maybe.WriteFile(path, text, info.Mode().Perm())
}
