// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// build builds the binary for a platform and returns its path.
func (o *options) build(ctx context.Context, platform v1.Platform) (string, error) {
	if err := os.MkdirAll(o.output, 0o755); err != nil {
		return "", err
	}
	binary := filepath.Join(o.output, o.file(platform))
	// The path and the commit stay out of the binary: neither of them is what it does.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly",
		"-ldflags", "-s -w -X main.version="+o.version, "-o", binary, "./cmd/latchkey")
	cmd.Dir = o.source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=",
		"GOOS="+platform.OS, "GOARCH="+platform.Architecture)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build for %s: %w", platform, err)
	}
	return binary, checkStatic(binary)
}

// file is how what belongs to a platform is called.
func (*options) file(platform v1.Platform) string {
	return "latchkey-" + platform.OS + "-" + platform.Architecture
}

// checkStatic refuses a program that needs a loader: there is none on an empty base.
func checkStatic(path string) error {
	program, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("read the program: %w", err)
	}
	defer program.Close() //nolint:errcheck // it was only read
	for _, segment := range program.Progs {
		if segment.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is not static: it asks for a loader, which an empty base does not have", path)
		}
	}
	return nil
}
