// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// write writes the layout and its tar. One platform is an image, several are an index.
func (o *options) write(parts []part) error {
	folder := filepath.Join(o.output, "latchkey-image")
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	root := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	path, err := layout.Write(folder, root)
	if err != nil {
		return err
	}
	// The first name is what containerd reads, the second one what OCI tools read.
	names := layout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          o.tag,
		"org.opencontainers.image.ref.name": o.tag[strings.LastIndex(o.tag, ":")+1:],
	})
	var digest v1.Hash
	if len(parts) == 1 {
		err = path.AppendImage(parts[0].image, names, layout.WithPlatform(parts[0].platform))
		digest, _ = parts[0].image.Digest()
	} else {
		for _, p := range parts {
			root = mutate.AppendManifests(root, mutate.IndexAddendum{Add: p.image, Descriptor: v1.Descriptor{Platform: &p.platform}})
		}
		err = path.AppendIndex(root, names)
		digest, _ = root.Digest()
	}
	for _, p := range parts {
		for _, referrer := range p.referrers {
			err = errors.Join(err, path.AppendImage(referrer))
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", folder, err)
	}
	if err := pack(folder, folder+".tar", o.created); err != nil {
		return err
	}
	fmt.Printf("image: %s\nimage: %s.tar\nimage: %s@%s\n", folder, folder, o.tag, digest)
	return os.WriteFile(folder+".digest", []byte(digest.String()+"\n"), 0o644)
}

// pack writes a folder into a tar, in the order of names.
func pack(folder, file string, created time.Time) (err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // it was only read
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	w := tar.NewWriter(out)
	defer func() { err = errors.Join(err, w.Close(), out.Close()) }()
	return fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		header := &tar.Header{Name: name, ModTime: created, Mode: 0o644, Size: info.Size(), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if entry.IsDir() {
			header.Name, header.Mode, header.Size, header.Typeflag = name+"/", 0o755, 0, tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil || entry.IsDir() {
			return err
		}
		in, err := root.Open(name)
		if err != nil {
			return err
		}
		defer in.Close() //nolint:errcheck // it was only read
		_, err = io.Copy(w, in)
		return err
	})
}
