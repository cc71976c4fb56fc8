// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// write writes the layout and its tar. One platform is an image, several are an index.
func (o *options) write(ctx context.Context, parts []part) error {
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
	if err := o.pack(ctx, folder); err != nil {
		return err
	}
	fmt.Printf("image: %s\nimage: %s.tar\nimage: %s@%s\n", folder, folder, o.tag, digest)
	return os.WriteFile(folder+".digest", []byte(digest.String()+"\n"), 0o644)
}

// pack writes a layout into a tar that is the same wherever and whenever it is made.
func (o *options) pack(ctx context.Context, folder string) error {
	command := exec.CommandContext(ctx, "tar", "--create", "--file", folder+".tar", "--directory", folder, "--format=ustar", "--sort=name",
		"--mtime=@"+strconv.FormatInt(o.created.Unix(), 10), "--owner=0", "--group=0", "--numeric-owner", "--mode=a+rX,go-w",
		"blobs", "index.json", "oci-layout")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("tar: %w: %s", err, out)
	}
	return nil
}
