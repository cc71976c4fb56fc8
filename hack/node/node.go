// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// nodeName is the name of everything that needs one: the node, the network namespace, the network device, the cgroup.
const nodeName = "latchkey-e2e"

// node is the node of one source tree.
type node struct {
	layout
	supervise.Keeper
	supervise.Report
	assets  string // where the Kubernetes binaries lie; set by build
	cniBin  string // where the network plugins lie; set by preflight
	overlay bool   // whether overlay mounts work in bin/node; set by preflight
}

// layout knows where everything lies below the root of the source tree.
type layout struct{ root string }

func (l layout) dir(elem ...string) string {
	return filepath.Join(append([]string{l.root, "bin", "node"}, elem...)...)
}

func (l layout) lock() string                  { return filepath.Join(l.root, "bin", "node.lock") }
func (l layout) pki(file string) string        { return l.dir("pki", file) }
func (l layout) config(file string) string     { return l.dir("config", file) }
func (l layout) kubeconfig(user string) string { return l.dir(user + ".kubeconfig") }
func (l layout) socket() string                { return l.dir("containerd.sock") }
func (l layout) podLogs() string               { return l.dir("log", "pods") }

// relative shortens a path below the root for people.
func (l layout) relative(path string) string {
	if short, err := filepath.Rel(l.root, path); err == nil && filepath.IsLocal(short) {
		return short
	}
	return path
}

func openNode(root string, out io.Writer) (*node, error) {
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		if root, err = supervise.FindRoot(dir); err != nil {
			return nil, err
		}
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	l := layout{root: root}
	return &node{
		layout: l,
		Keeper: supervise.Keeper{Dir: root, Logs: l.dir("log"), Records: l.dir("run")},
		Report: supervise.Report{Out: out, Now: time.Now},
	}, nil
}

// locked runs f as the only one that changes this node.
func (n *node) locked(ctx context.Context, f func(context.Context) error) error {
	return supervise.WithLock(ctx, n.lock(), func() { n.Linef("waiting for another node command to finish") }, f)
}

// build finds or builds the Kubernetes binaries.
func (n *node) build(ctx context.Context) error {
	script := filepath.Join(n.root, "hack", "controlplane", "build.sh")
	command := exec.CommandContext(ctx, script, "--print-assets", "etcd", "kube-apiserver", "kubectl",
		"kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet")
	command.Stderr = os.Stderr // its progress
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 5 * time.Second
	out, err := command.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", n.relative(script), err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	n.assets = lines[len(lines)-1]
	return nil
}

// asset is the path of a binary that build made.
func (n *node) asset(file string) string { return filepath.Join(n.assets, file) }

// run runs a command that is over soon and returns what it prints; an error holds what it printed on stderr.
func run(ctx context.Context, argv ...string) (string, error) {
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("%s: %w", argv[0], ctx.Err())
		}
		return "", fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}
