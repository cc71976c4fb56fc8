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

	"github.com/spf13/pflag"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// upOptions say what kind of node is brought up.
type upOptions struct {
	syncFrequency time.Duration
}

func (o *upOptions) addFlags(flags *pflag.FlagSet) {
	flags.DurationVar(&o.syncFrequency, "sync-frequency", 5*time.Second,
		"how often the kubelet looks at every pod, and so how soon a changed Secret is in a volume (its own default: 1m0s)")
}

// up brings everything up in the order in which it depends on each other.
func (n *node) up(ctx context.Context, o upOptions) error {
	start := n.Now()
	if err := n.preflight(ctx); err != nil {
		return err
	}
	if err := n.build(ctx); err != nil {
		return err
	}
	m, err := n.claim(ctx)
	if err != nil {
		return err
	}
	if err := n.Step(ctx, "network", func(ctx context.Context) (string, error) { return n.upNetwork(ctx, &m) }); err != nil {
		return err
	}
	if err := n.Step(ctx, "keys and certificates", func(context.Context) (string, error) { return n.ensureKeys() }); err != nil {
		return err
	}
	if err := n.writeConfigs(o); err != nil {
		return err
	}
	runtime, err := n.containerd()
	if err != nil {
		return err
	}
	// containerd comes early: the images are imported while the controllers settle.
	for _, p := range []supervise.Process{n.etcd(), n.apiserver(), n.controllerManager(), n.scheduler(), runtime} {
		if err := n.ensure(ctx, p); err != nil {
			return err
		}
	}
	if err := n.importBaseImages(ctx); err != nil {
		return err
	}
	if err := makeCgroups(); err != nil {
		return fmt.Errorf("cgroups: %w", err)
	}
	if err := n.ensure(ctx, n.kubelet()); err != nil {
		return err
	}
	if err := n.Step(ctx, "node", func(ctx context.Context) (string, error) {
		err := supervise.Eventually(ctx, 2*time.Minute, n.podsCanRun)
		if err != nil && !errors.Is(err, context.Canceled) {
			err = &supervise.Failure{Log: n.Log("kubelet"), Err: err}
		}
		return "ready", err
	}); err != nil {
		return err
	}
	// It asks for its Node once, and then not again for a long time.
	if err := n.ensure(ctx, n.proxy()); err != nil {
		return err
	}
	if err := n.writeEnv(); err != nil {
		return err
	}
	n.Linef("up in %.1fs: source %s", n.Now().Sub(start).Seconds(), n.relative(n.dir("env")))
	return nil
}

func (n *node) ensure(ctx context.Context, p supervise.Process) error {
	return n.Step(ctx, p.Name, func(ctx context.Context) (string, error) { return n.Ensure(ctx, p) })
}

// claim makes the names that the node uses ours, or finds that they are. What an earlier run left without a single
// process, such as before a restart of the machine, is removed first: a node is whole or new.
func (n *node) claim(ctx context.Context) (machine, error) {
	m, known, err := n.loadMachine()
	if err != nil {
		return m, err
	}
	if known {
		running, err := n.anyRunning()
		if err != nil || running {
			return m, err
		}
		n.Linef("nothing of the last run is running: removing what it left")
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

func (n *node) anyRunning() (bool, error) {
	names, err := n.Recorded()
	if err != nil {
		return false, err
	}
	for _, recorded := range names {
		r, err := n.Load(recorded)
		if err != nil {
			return false, err
		}
		if r.Running() {
			return true, nil
		}
	}
	return false, nil
}

func (n *node) writeConfigs(o upOptions) error {
	kubelet, err := n.kubeletConfig(o.syncFrequency)
	if err != nil {
		return err
	}
	proxy, err := n.proxyConfig()
	if err != nil {
		return err
	}
	network, err := n.networkConfig()
	if err != nil {
		return err
	}
	for path, content := range map[string][]byte{
		n.config("audit-policy.yaml"): []byte(auditPolicy),
		n.config("kubelet.yaml"):      kubelet,
		n.config("kube-proxy.yaml"):   proxy,
		n.config("containerd.toml"):   n.containerdConfig(),
		// Nobody answers names in this cluster. Pods find Services by their environment.
		n.config("resolv.conf"):                      []byte("# no name servers\n"),
		n.dir("network", "10-"+nodeName+".conflist"): network,
	} {
		if err := supervise.WriteFile(path, content); err != nil {
			return err
		}
	}
	return nil
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
			{Name: "KUBECTL", Value: n.asset("kubectl")},
			{Name: "CTR", Value: strings.Join(ctr, " ")},
			{Name: "NODE_NETNS", Value: namespacePath()},
			{Name: "NODE_ADDRESS", Value: nodeAddress},
			{Name: "NODE_HOST_ADDRESS", Value: hostAddress},
			{Name: "BUSYBOX_IMAGE", Value: busyboxImage},
		}))
}
