// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// kubectl calls the kubectl that was built with the API server.
type kubectl struct {
	path       string
	kubeconfig string
	cacheDir   string // its own: the user's is not filled with clusters of a day
}

// run returns what the call prints on stdout; an error holds what it printed on stderr.
func (k kubectl) run(ctx context.Context, args ...string) ([]byte, error) {
	args = append([]string{"--kubeconfig", k.kubeconfig, "--cache-dir", k.cacheDir, "--request-timeout", "30s"}, args...)
	command := exec.CommandContext(ctx, k.path, args...)
	// Of the caller's environment, plugins and colours stay out.
	command.Env = []string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH")}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("kubectl: %w", ctx.Err())
		}
		return nil, fmt.Errorf("kubectl: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// get reads objects into a Go value.
func (k kubectl) get(ctx context.Context, into any, args ...string) error {
	out, err := k.run(ctx, append([]string{"get", "--output", "json"}, args...)...)
	if err != nil {
		return err
	}
	return json.Unmarshal(out, into)
}
