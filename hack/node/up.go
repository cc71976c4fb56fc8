// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/controlplane"
	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// up brings everything up in the order in which it depends on each other.
func (n *node) up(ctx context.Context) error {
	start := time.Now()
	if err := n.preflight(ctx); err != nil {
		return err
	}
	var err error
	if n.plane.Assets, err = controlplane.Build(ctx, n.root, "etcd", "kube-apiserver", "kubectl",
		"kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet"); err != nil {
		return err
	}
	m, err := n.claim(ctx)
	if err != nil {
		return err
	}
	if err := supervise.Step(ctx, "network", func(ctx context.Context) (string, error) { return n.upNetwork(ctx, &m) }); err != nil {
		return err
	}
	if err := supervise.Step(ctx, "keys and certificates", n.ensureKeys); err != nil {
		return err
	}
	files, err := n.renderConfigs()
	if err != nil {
		return err
	}
	for path, content := range files {
		if err := supervise.WriteFile(path, content); err != nil {
			return err
		}
	}
	apiserver, err := n.apiserver()
	if err != nil {
		return err
	}
	runtime, err := n.containerd()
	if err := errors.Join(err, n.Start(ctx)); err != nil {
		return err
	}
	// containerd comes early: the images are imported while the controllers settle.
	if err := n.EnsureAll(ctx, n.plane.Etcd(n.dir("etcd")), apiserver, n.controllerManager(),
		n.delegating("kube-scheduler", 10259, nil), runtime); err != nil {
		return err
	}
	if err := n.importImages(ctx); err != nil {
		return err
	}
	if err := makeCgroups(); err != nil {
		return fmt.Errorf("cgroups: %w", err)
	}
	if err := n.EnsureAll(ctx, n.kubelet()); err != nil {
		return err
	}
	if err := supervise.Step(ctx, "node", func(ctx context.Context) (string, error) {
		err := supervise.Eventually(ctx, 2*time.Minute, n.podsCanRun)
		if err != nil && !errors.Is(err, context.Canceled) {
			err = &supervise.Failure{Log: n.Log("kubelet"), Err: err}
		}
		return "ready", err
	}); err != nil {
		return err
	}
	// It asks for its Node once, and then not again for a long time.
	if err := n.EnsureAll(ctx, n.proxy()); err != nil {
		return err
	}
	if err := n.writeEnv(); err != nil {
		return err
	}
	linef("up in %.1fs: source bin/node/env", time.Since(start).Seconds())
	return nil
}

// claim makes the names that the node uses ours, or finds that they are. What an earlier run left without a single
// process, such as before a restart of the machine, is removed first: a node is whole or new.
func (n *node) claim(ctx context.Context) (machine, error) {
	m, known, err := n.loadMachine()
	if err != nil {
		return m, err
	}
	if known {
		if n.Running(ctx) {
			return m, nil
		}
		linef("nothing of the last run is running: removing what it left")
		if err := n.down(ctx); err != nil {
			return m, err
		}
	}
	if namespaceExists() {
		return m, fmt.Errorf("there is a network namespace %s that is not of this source tree: "+
			"run `go run ./hack/node down` in the one that it is of, or `ip netns delete %s`", nodeName, nodeName)
	}
	if err := os.MkdirAll(n.dir(), 0o700); err != nil {
		return m, err
	}
	m, err = lookAtMachine("/proc/sys", sharedFolders)
	if err != nil {
		return m, err
	}
	return m, n.saveMachine(m)
}

// writeEnv writes how the cluster is reached.
func (n *node) writeEnv() error {
	ctr := n.ctrCommand()
	if path, err := exec.LookPath(ctr[0]); err == nil {
		ctr = slices.Concat([]string{path}, ctr[1:])
	}
	return supervise.WriteFile(n.dir("env"), supervise.RenderEnv("Written by hack/node: how to reach the node.",
		[]supervise.Variable{
			{Name: "KUBECONFIG", Value: n.kubeconfig("admin")},
			{Name: "KUBECTL", Value: n.plane.Assets + "/kubectl"},
			{Name: "CTR", Value: strings.Join(ctr, " ")},
			{Name: "NODE_NETNS", Value: namespacePath},
			{Name: "NODE_ADDRESS", Value: nodeAddress},
			{Name: "NODE_HOST_ADDRESS", Value: hostAddress},
			{Name: "BUSYBOX_IMAGE", Value: busyboxImage},
		}))
}
