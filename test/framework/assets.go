// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// assetsVariable names the folder of the control plane's binaries, for envtest and
// here.
const assetsVariable = "KUBEBUILDER_ASSETS"

// moduleRoot returns the folder of the go.mod above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory: run the tests in Latchkey's repository")
		}
		dir = parent
	}
}

// findAssets returns the folder of etcd, kube-apiserver and kubectl.
func findAssets(root string) (string, error) {
	dir := os.Getenv(assetsVariable)
	if dir == "" {
		dir = filepath.Join(root, "bin", "k8s")
	}
	var missing []string
	for _, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("%s has no %s: run `make controlplane`, or set %s to a folder that has them",
			dir, strings.Join(missing, ", "), assetsVariable)
	}
	return dir, nil
}

// buildLatchkey builds the binary into dir: with the race detector for tests, and as it is
// released for benchmarks, which are programs.
func buildLatchkey(ctx context.Context, root, dir string) (string, error) {
	out := filepath.Join(dir, "latchkey")
	args := []string{"build", "-buildvcs=false", "-o", out}
	if testing.Testing() {
		args = append(args, "-race")
	}
	command := exec.CommandContext(ctx, "go", append(args, "./cmd/latchkey")...)
	command.Dir = root
	if message, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/latchkey: %w\n%s", err, message)
	}
	return out, nil
}
