// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command dist builds what people download of the plugin: an archive for each platform
// with the program, its manual pages and the licence, SHA256SUMS, and a manifest for krew.
// The same sources, version and Go make the same bytes. It reads the source tree and
// writes to the output folder alone.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// made is the time of every file in the archives: the same for all releases, so that the archives depend on their content alone. A
// zip knows no time before it.
var made = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// released is a version that krew takes.
var released = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)

type options struct {
	source, output, version, url, platforms string
}

func main() {
	var o options
	flag.StringVar(&o.source, "source", ".", "folder of the source tree")
	flag.StringVar(&o.output, "output", "dist", "folder to write to")
	flag.StringVar(&o.version, "version", "dev", "version that the plugin reports")
	flag.StringVar(&o.url, "url", "https://github.com/latchkey-dev/latchkey/releases/download", "where the archives of a version will be, below its name")
	flag.StringVar(&o.platforms, "platforms", "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64", "what to build for")
	flag.Parse()
	if err := o.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func (o *options) run(ctx context.Context) error {
	if !released.MatchString(o.version) {
		o.version = "v0.0.0-g" + strings.Trim(regexp.MustCompile(`[^0-9A-Za-z]+`).ReplaceAllString(o.version, "-"), "-") // between releases
	}
	if err := os.MkdirAll(o.output, 0o755); err != nil {
		return err
	}
	common, err := o.common(ctx)
	if err != nil {
		return err
	}
	var sums strings.Builder
	var packedFor []platform
	for _, name := range strings.Split(o.platforms, ",") {
		system, arch, _ := strings.Cut(name, "/")
		p := platform{os: system, arch: arch, program: "kubectl-latchkey"}
		if p.archive = fmt.Sprintf("kubectl-latchkey_%s_%s.tar.gz", p.os, p.arch); p.os == "windows" {
			p.program, p.archive = "kubectl-latchkey.exe", fmt.Sprintf("kubectl-latchkey_%s_%s.zip", p.os, p.arch)
		}
		program, err := o.build(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		packed, err := pack(p, append([]file{{p.program, program, 0o755}}, common...))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		p.sum = fmt.Sprintf("%x", sha256.Sum256(packed))
		_, _ = fmt.Fprintf(&sums, "%s  %s\n", p.sum, p.archive)
		if err := o.write(p.archive, packed); err != nil {
			return err
		}
		fmt.Printf("dist: %s: %d bytes\n", p.archive, len(packed))
		packedFor = append(packedFor, p)
	}
	return errors.Join(o.write("SHA256SUMS", []byte(sums.String())), o.write("latchkey.yaml", manifest(o.version, o.url, packedFor)))
}

func (o *options) write(name string, content []byte) error {
	return os.WriteFile(filepath.Join(o.output, name), content, 0o644)
}

// build returns the program for a platform.
func (o *options) build(ctx context.Context, p platform) ([]byte, error) {
	folder, err := os.MkdirTemp("", "latchkey-dist-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	path := filepath.Join(folder, p.program)
	if err := o.tool(ctx, []string{"CGO_ENABLED=0", "GOOS=" + p.os, "GOARCH=" + p.arch},
		"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version="+o.version, "-o", path, "."); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// common returns what every archive has: the licence and the manual pages.
func (o *options) common(ctx context.Context) ([]file, error) {
	licence, err := os.ReadFile(filepath.Join(o.source, "LICENSE"))
	if err != nil {
		return nil, err
	}
	files := []file{{"LICENSE", licence, 0o644}}
	folder, err := os.MkdirTemp("", "latchkey-man-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := o.tool(ctx, []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", made.Unix())}, "run", "-buildvcs=false", "./gendoc", "--man", folder); err != nil {
		return nil, err
	}
	pages, err := os.ReadDir(folder) // sorted
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(folder, page.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, file{"man/" + page.Name(), text, 0o644})
	}
	return files, err
}

// tool runs go in the plugin's module.
func (o *options) tool(ctx context.Context, env []string, args ...string) error {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = filepath.Join(o.source, "cmd", "kubectl-latchkey")
	command.Env = append(os.Environ(), env...)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", args[0], err, output)
	}
	return nil
}
