// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Kubectl calls the kubectl that belongs to the API server, as a user would.
type Kubectl struct {
	path       string
	kubeconfig string
	cacheDir   string
}

// NewKubectl returns the kubectl at path, for the user of a kubeconfig. Its cache is in
// cacheDir.
func NewKubectl(path, kubeconfig, cacheDir string) Kubectl {
	return Kubectl{path: path, kubeconfig: kubeconfig, cacheDir: cacheDir}
}

// Path returns where kubectl is.
func (k Kubectl) Path() string { return k.path }

// Run calls kubectl with stdin and returns its stdout. An error contains its stderr.
func (k Kubectl) Run(ctx context.Context, stdin string, args ...string) (string, error) {
	args = append([]string{"--kubeconfig", k.kubeconfig, "--cache-dir", k.cacheDir, "--request-timeout", "30s"}, args...)
	command := exec.CommandContext(ctx, k.path, args...)
	// The caller's own kubectl configuration must not count.
	command.Env = []string{"HOME=" + k.cacheDir, "PATH=" + os.Getenv("PATH")}
	command.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
