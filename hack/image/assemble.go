// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	program = "latchkey"
	// user is nobody in particular: neither root nor anyone of the node.
	user = "65532:65532"
	// sbomType is the media type of an SPDX document.
	sbomType = "application/spdx+json"
)

// part is what the image is on one platform.
type part struct {
	platform   v1.Platform
	image      v1.Image
	referrers  []v1.Image // refer to image: its SBOM, its provenance
	binarySize int64
}

// assemble makes the image of one platform, and the SBOM and the provenance that
// refer to it.
func (o *options) assemble(ctx context.Context, platform v1.Platform, binary string) (part, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return part{}, err
	}
	layer, err := newLayer(content, o.created)
	if err != nil {
		return part{}, err
	}
	image, err := newImage(platform, layer, o.labels(), o.created)
	if err != nil {
		return part{}, err
	}
	document, err := newSBOM(binary, o.version, o.created)
	if err != nil {
		return part{}, err
	}
	provenance, err := o.newProvenance(ctx, platform, image, binary)
	if err != nil {
		return part{}, err
	}
	p := part{platform: platform, image: image, binarySize: int64(len(content))}
	for _, about := range []struct {
		document          []byte
		mediaType, suffix string
	}{{document, sbomType, ".spdx.json"}, {provenance, provenanceType, ".intoto.json"}} {
		if err := os.WriteFile(filepath.Join(o.output, o.file(platform)+about.suffix), about.document, 0o644); err != nil {
			return part{}, err
		}
		referrer, err := newReferrer(image, about.document, types.MediaType(about.mediaType))
		if err != nil {
			return part{}, err
		}
		p.referrers = append(p.referrers, referrer)
	}
	return p, nil
}

// labels are what registries and clusters show of an image.
func (o *options) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":         "Latchkey",
		"org.opencontainers.image.description":   "Every user's and every agent environment's own secrets, in Kubernetes",
		"org.opencontainers.image.source":        "https://github.com/latchkey-dev/latchkey",
		"org.opencontainers.image.documentation": "https://github.com/latchkey-dev/latchkey/blob/main/docs/install.md",
		"org.opencontainers.image.licenses":      "Apache-2.0",
		"org.opencontainers.image.version":       o.version,
	}
}

// newLayer returns a layer with the program and nothing else.
func newLayer(binary []byte, created time.Time) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	err := w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: program, Mode: 0o755, Size: int64(len(binary)), ModTime: created, Format: tar.FormatUSTAR,
	})
	if err != nil {
		return nil, err
	}
	if _, err = w.Write(binary); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

// newImage returns the image of one platform.
func newImage(platform v1.Platform, layer v1.Layer, labels map[string]string, created time.Time) (v1.Image, error) {
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	base, err := mutate.ConfigFile(base, &v1.ConfigFile{
		OS:           platform.OS,
		Architecture: platform.Architecture,
		Created:      v1.Time{Time: created},
		Config: v1.Config{
			User:       user,
			WorkingDir: "/",
			Entrypoint: []string{"/" + program},
			Labels:     labels,
		},
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(base, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: created}, CreatedBy: "hack/image"},
	})
}

// newReferrer returns an artifact that says of subject what document says. Tools find
// it in a registry by the subject's digest.
func newReferrer(subject v1.Image, document []byte, mediaType types.MediaType) (v1.Image, error) {
	about, err := partial.Descriptor(subject)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mediaType)
	base, err = mutate.AppendLayers(base, static.NewLayer(document, mediaType))
	if err != nil {
		return nil, err
	}
	referrer, is := mutate.Subject(base, *about).(v1.Image)
	if !is {
		return nil, errors.New("an image that refers to another is none any more")
	}
	return referrer, nil
}
