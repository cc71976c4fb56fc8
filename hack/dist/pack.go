// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// platform is what one archive is for.
type platform struct{ os, arch, program, archive, sum string }

type file struct {
	name    string
	content []byte
	mode    fs.FileMode
}

// pack returns the archive of files: a zip for Windows, else a compressed tar.
func pack(p platform, files []file) ([]byte, error) {
	var out bytes.Buffer
	if p.os == "windows" {
		err := zipped(&out, files)
		return out.Bytes(), err
	}
	compressed := gzip.NewWriter(&out)
	archive := tar.NewWriter(compressed)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: int64(f.mode), Size: int64(len(f.content)), ModTime: made, Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := errors.Join(archive.Close(), compressed.Close())
	return out.Bytes(), err
}

func zipped(out *bytes.Buffer, files []file) error {
	archive := zip.NewWriter(out)
	for _, f := range files {
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: made}
		header.SetMode(f.mode)
		entry, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := entry.Write(f.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

const head = `apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: latchkey
spec:
  version: %s
  homepage: https://github.com/latchkey-dev/latchkey
  shortDescription: Secrets of users and agents, sealed at rest
  description: |
    Sets, lists, seals and rotates the secrets of a namespace that Latchkey keeps. Values are sealed
    on this machine, with your own rights: no request and no log of the API server holds one.
  platforms:
`

const entry = `  - selector:
      matchLabels:
        os: %s
        arch: %s
    uri: %s/%s/%s
    sha256: %s
    bin: %s
`

// manifest returns what krew installs the archives by.
func manifest(version, url string, platforms []platform) []byte {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, head, version)
	for _, p := range platforms {
		_, _ = fmt.Fprintf(&b, entry, p.os, p.arch, url, version, p.archive, p.sum, p.program)
	}
	return []byte(b.String())
}
