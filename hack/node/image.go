// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// Images have names of their own below "localhost", which no registry answers to: they are imported, never pulled.
const (
	busyboxImage = "localhost/busybox:e2e"
	pauseImage   = "localhost/pause:e2e"
)

// entry is a file, a folder or a link of an image. Its owner is root unless it says otherwise.
type entry struct {
	path    string // without a slash in front; a folder ends in one
	mode    int64
	owner   int
	link    string // where a symbolic link leads
	content []byte
}

// image is an image of one layer.
type image struct {
	name    string
	entries []entry
	config  imageConfig
}

// imageConfig is how a container of the image is started, as the OCI image specification names it.
type imageConfig struct {
	User       string   `json:"User,omitempty"`
	Env        []string `json:"Env,omitempty"`
	Entrypoint []string `json:"Entrypoint,omitempty"`
	Cmd        []string `json:"Cmd,omitempty"`
}

// epoch is the time of everything in an image: the same content makes the same image.
var epoch = time.Unix(0, 0).UTC()

// write writes the image in the format that `docker save` writes and `ctr images import` reads: a layer, a
// configuration that names the layer by its digest, and a manifest that names both.
func (i image) write(out io.Writer) error {
	var content bytes.Buffer
	if err := writeTar(&content, i.entries); err != nil {
		return err
	}
	layer := content.Bytes()
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"created":      epoch,
		"config":       i.config,
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
	})
	if err != nil {
		return err
	}
	configFile, layerFile := digest(config)+".json", digest(layer)+".tar"
	manifest, err := json.Marshal([]any{map[string]any{
		"Config": configFile, "RepoTags": []string{i.name}, "Layers": []string{layerFile},
	}})
	if err != nil {
		return err
	}
	return writeTar(out, []entry{
		{path: configFile, mode: 0o644, content: config},
		{path: layerFile, mode: 0o644, content: layer},
		{path: "manifest.json", mode: 0o644, content: manifest},
	})
}

func writeTar(out io.Writer, entries []entry) error {
	archive := tar.NewWriter(out)
	for _, e := range entries {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: e.path, Mode: e.mode, Uid: e.owner, Gid: e.owner, ModTime: epoch,
			Size: int64(len(e.content)),
		}
		switch {
		case e.link != "":
			header.Typeflag, header.Linkname = tar.TypeSymlink, e.link
		case strings.HasSuffix(e.path, "/"):
			header.Typeflag = tar.TypeDir
		}
		if err := archive.WriteHeader(header); err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
		if _, err := archive.Write(e.content); err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
	}
	return archive.Close()
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// users are the accounts of every image: root, one with a home, and the one that upstream calls nonroot.
const (
	users  = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\nnonroot:x:65532:65532:nonroot:/home/nonroot:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
	groups = "root:x:0:\napp:x:1000:\nnonroot:x:65532:\nnobody:x:65534:\n"
)

// baseEntries are the folders and files that a program may take for granted.
func baseEntries() []entry {
	return []entry{
		{path: "etc/", mode: 0o755},
		{path: "etc/group", mode: 0o644, content: []byte(groups)},
		{path: "etc/passwd", mode: 0o644, content: []byte(users)},
		{path: "home/", mode: 0o755},
		{path: "home/app/", mode: 0o755, owner: 1000},
		{path: "home/nonroot/", mode: 0o755, owner: 65532},
		{path: "root/", mode: 0o700},
		{path: "run/", mode: 0o755},
		{path: "tmp/", mode: 0o1777},
	}
}

// newBusyboxImage makes an image with a shell and the usual small programs. links are the names that busybox answers
// to.
func newBusyboxImage(busybox []byte, links []string) image {
	entries := append(baseEntries(),
		entry{path: "bin/", mode: 0o755},
		entry{path: "bin/busybox", mode: 0o755, content: busybox})
	for _, link := range links {
		if link != "busybox" {
			entries = append(entries, entry{path: "bin/" + link, mode: 0o777, link: "busybox"})
		}
	}
	entries = append(entries,
		entry{path: "usr/", mode: 0o755},
		entry{path: "usr/bin/", mode: 0o755},
		entry{path: "usr/bin/env", mode: 0o777, link: "/bin/busybox"}) // where scripts look for it
	return image{name: busyboxImage, entries: entries, config: imageConfig{
		Env: []string{"PATH=/bin:/usr/bin"}, Cmd: []string{"sh"},
	}}
}

// newPauseImage makes the image of the process that holds a pod's namespaces: it only has to sleep.
func newPauseImage(busybox []byte) image {
	return image{
		name: pauseImage,
		entries: []entry{
			{path: "bin/", mode: 0o755},
			{path: "bin/sleep", mode: 0o755, content: busybox},
		},
		config: imageConfig{User: "65535:65535", Entrypoint: []string{"/bin/sleep", "infinity"}},
	}
}

// importImages imports what every pod needs, and what tests run.
func (n *node) importImages(ctx context.Context) error {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	busybox, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	links, err := run(ctx, path, "--list")
	if err != nil {
		return err
	}
	for _, i := range []image{newPauseImage(busybox), newBusyboxImage(busybox, strings.Fields(links))} {
		if err := supervise.Step(ctx, "image "+i.name, func(ctx context.Context) (string, error) {
			var archive bytes.Buffer
			if err := i.write(&archive); err != nil {
				return "", err
			}
			file := n.dir("image.tar")
			if err := supervise.WriteFile(file, archive.Bytes()); err != nil {
				return "", err
			}
			_, err := n.ctr(ctx, "images", "import", file)
			return "imported", errors.Join(err, os.Remove(file))
		}); err != nil {
			return err
		}
	}
	return nil
}
