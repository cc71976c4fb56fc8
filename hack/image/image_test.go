// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	spdxjson "github.com/spdx/tools-golang/json"
)

const testTag = "registry.invalid/latchkey:v1.2.3"

// source is a source tree with a command of the name that is built, and nothing to
// download.
func source(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":               "module example.invalid/latchkey\n\ngo 1.26\n",
		"cmd/latchkey/main.go": "package main\n\nvar version string\n\nfunc main() { println(version) }\n",
	} {
		file := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func built(t *testing.T, args ...string) string {
	t.Helper()
	output := filepath.Join(t.TempDir(), "dist")
	args = append([]string{"--source", source(t), "--output", output, "--tag", testTag, "--version", "v1.2.3"}, args...)
	if err := run(t.Context(), args); err != nil {
		t.Fatal(err)
	}
	return output
}

func TestTwoBuildsOfOneSourceAreTheSame(t *testing.T) {
	one, two := built(t), built(t)
	for _, name := range []string{"latchkey-image.digest", "latchkey-image.tar", "latchkey-linux-amd64.spdx.json", "latchkey-linux-amd64.intoto.json", "latchkey-linux-arm64"} {
		if !bytes.Equal(read(t, filepath.Join(one, name)), read(t, filepath.Join(two, name))) {
			t.Errorf("%s differs", name)
		}
	}
	if other := built(t, "--version", "v1.2.4"); bytes.Equal(read(t, one+"/latchkey-image.digest"), read(t, other+"/latchkey-image.digest")) {
		t.Error("another version has the same digest")
	}
}

func TestAnImageForEachPlatform(t *testing.T) {
	output := built(t)
	root, err := layout.ImageIndexFromPath(filepath.Join(output, "latchkey-image"))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := root.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 5 {
		t.Fatalf("the layout has %d entries, want the image, and an SBOM and a provenance for each platform", len(manifest.Manifests))
	}
	named := manifest.Manifests[0]
	if named.Annotations["io.containerd.image.name"] != testTag || named.Annotations["org.opencontainers.image.ref.name"] != "v1.2.3" {
		t.Errorf("the image is named %v", named.Annotations)
	}
	if want := strings.TrimSpace(string(read(t, output+"/latchkey-image.digest"))); named.Digest.String() != want {
		t.Errorf("the layout has %s, the file of the digest %s", named.Digest, want)
	}
	index, err := root.ImageIndex(named.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	images, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var subjects, kinds []string
	for _, d := range manifest.Manifests[1:] {
		referrer, err := root.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		m, err := referrer.Manifest()
		if err != nil || m.Subject == nil {
			t.Fatalf("a document says of nothing what it is about: %v", err)
		}
		kinds = append(kinds, string(m.Config.MediaType))
		subjects = append(subjects, m.Subject.Digest.String())
	}
	if want := []string{sbomType, provenanceType, sbomType, provenanceType}; !slices.Equal(kinds, want) {
		t.Errorf("the documents are %v, want %v", kinds, want)
	}
	for i, want := range []string{"amd64", "arm64"} {
		d := images.Manifests[i]
		if d.Platform == nil || d.Platform.Architecture != want || !slices.Contains(subjects, d.Digest.String()) {
			t.Errorf("image %d is for %v, documents are about %v", i, d.Platform, subjects)
		}
		image, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkImage(t, image, want)
	}
}

// checkImage checks how a container of the image is started, and what it finds.
func checkImage(t *testing.T, image v1.Image, architecture string) {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != architecture || config.OS != "linux" || config.Config.User != "65532:65532" ||
		!slices.Equal(config.Config.Entrypoint, []string{"/latchkey"}) || !config.Created.IsZero() && config.Created.Unix() != 0 {
		t.Errorf("configuration %+v", config)
	}
	if config.Config.Labels["org.opencontainers.image.version"] != "v1.2.3" || config.Config.Labels["org.opencontainers.image.licenses"] != "Apache-2.0" {
		t.Errorf("labels %v", config.Config.Labels)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewReader(content)
	header, err := files.Next()
	if err != nil || header.Name != "latchkey" || header.Mode != 0o755 || header.Uid != 0 || header.ModTime.Unix() != 0 {
		t.Errorf("the first file is %+v, %v", header, err)
	}
	if _, err := files.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("there is more than the program: %v", err)
	}
}

func TestTheSBOMNamesTheProgramAndWhatIsInIt(t *testing.T) {
	output := built(t, "--platform", "linux/amd64")
	document, err := spdxjson.Read(bytes.NewReader(read(t, output+"/latchkey-linux-amd64.spdx.json")))
	if err != nil {
		t.Fatal(err)
	}
	if document.SPDXVersion != "SPDX-2.3" || document.CreationInfo.Created != "1970-01-01T00:00:00Z" {
		t.Errorf("the document is %s of %s", document.SPDXVersion, document.CreationInfo.Created)
	}
	var names []string
	ids := map[string]bool{}
	for _, p := range document.Packages {
		names = append(names, p.PackageName)
		if id := string(p.PackageSPDXIdentifier); ids[id] {
			t.Errorf("%s is there twice", id)
		}
		ids[string(p.PackageSPDXIdentifier)] = true
	}
	if !slices.Equal(names, []string{"example.invalid/latchkey", "stdlib"}) {
		t.Errorf("it names %v", names)
	}
	if p := document.Packages[0]; p.PackageVersion != "v1.2.3" || len(p.PackageChecksums) != 1 ||
		p.PackageExternalReferences[0].Locator != "pkg:golang/example.invalid/latchkey@v1.2.3" {
		t.Errorf("the program is %+v", p)
	}
	if len(document.Relationships) != 2 {
		t.Errorf("there are %d relationships, want one that describes and one that depends", len(document.Relationships))
	}
}

func TestOnePlatformIsAnImageAndNoIndex(t *testing.T) {
	root, err := layout.ImageIndexFromPath(built(t, "--platform", "linux/arm64") + "/latchkey-image")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := root.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err := root.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	checkImage(t, image, "arm64")
}

func TestAProgramThatIsNotStaticIsRefused(t *testing.T) {
	for name, want := range map[string]string{"/bin/sh": "is not static", "go.mod": "read the program"} {
		err := checkStatic(name)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("checkStatic(%s) = %v, want %q in it", name, err, want)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestDockerfile_HasNoBase_OnlyWhatIsBuiltHere keeps an image of somebody else's from coming in unpinned.
func TestDockerfile_HasNoBase_OnlyWhatIsBuiltHere(t *testing.T) {
	var bases, copied []string
	for line := range strings.Lines(string(read(t, "../../Dockerfile"))) {
		switch words := strings.Fields(line); {
		case len(words) > 1 && words[0] == "FROM":
			bases = append(bases, strings.Join(words[1:], " "))
		case len(words) > 1 && (words[0] == "COPY" || words[0] == "ADD" || words[0] == "RUN"):
			copied = append(copied, strings.Join(words[1:], " "))
		}
	}
	if !slices.Equal(bases, []string{"scratch"}) {
		t.Errorf("it starts from %q, want scratch alone, or a base by its digest", bases)
	}
	if want := []string{"dist/latchkey-${TARGETOS}-${TARGETARCH} /latchkey"}; !slices.Equal(copied, want) {
		t.Errorf("it holds %q, want %q", copied, want)
	}
}
