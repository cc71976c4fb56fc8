// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command node runs a Kubernetes cluster of one node on this machine, with real containers: etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler, kube-proxy and kubelet built from Go modules, containerd and runc from the
// distribution's packages, all in a network namespace of their own.
//
// It needs Linux and root. Everything it owns is below bin/node, or has a name or a place that only it uses: the network
// namespace, a pair of network devices, one cgroup per hierarchy. What it finds changed by the kubelet outside of that is
// put back. It ends only its own children, containers in its own cgroup, and the shims of its own containerd.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/hack/internal/controlplane"
	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// nodeName is the name of everything that needs one: the node, the network namespace, the network device, the cgroup.
const nodeName = "latchkey-e2e"

// Exit codes: a caller may leave out what needs a node where none can run, but not where one failed.
const (
	exitFailed     = 1
	exitUnsuitable = 3
)

// node is the node of one source tree.
type node struct {
	supervise.Keeper
	root          string
	syncFrequency time.Duration
	plane         controlplane.Plane
	cniBin        string // where the network plugins lie; set by preflight
	overlay       bool   // whether overlay mounts work in bin/node; set by preflight
}

func main() {
	// The processes inherit this. With less, the user of a container could not read some of what the kubelet makes;
	// keys, tokens and etcd's data are kept from others by the mode of bin/node itself.
	syscall.Umask(0o022)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	cancel()
	if err == nil {
		return
	}
	supervise.Explain(os.Stderr, "node", err)
	var unsuitable *unsuitableError
	if errors.As(err, &unsuitable) {
		os.Exit(exitUnsuitable)
	}
	os.Exit(exitFailed)
}

func newCommand() *cobra.Command {
	command := &cobra.Command{
		Use:           "node",
		Short:         "Runs a Kubernetes node with real containers on this machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	var syncFrequency time.Duration
	sub := func(use, short string, run func(*node, context.Context) error) *cobra.Command {
		c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := supervise.Root()
			if err != nil {
				return err
			}
			return run(newNode(root, syncFrequency), cmd.Context())
		}}
		command.AddCommand(c)
		return c
	}
	sub("preflight", "Installs missing packages, says what this machine lacks; ends with status 3 if a node cannot run here",
		func(n *node, ctx context.Context) error {
			if err := n.preflight(ctx); err != nil {
				return err
			}
			linef("a node can run here")
			return nil
		})
	up := sub("up", "Starts what is not running and waits until pods can run; ends with status 3 if a node cannot run here", locked((*node).up))
	up.Flags().DurationVar(&syncFrequency, "sync-frequency", 5*time.Second,
		"how often the kubelet looks at every pod, and so how soon a changed Secret is in a volume (its own default: 1m0s)")
	sub("down", "Ends and removes everything that up started and made", locked((*node).down))
	sub("status", "Lists the processes, and says whether the node is ready", (*node).status)
	sub("keep", "Owns the processes of the node", func(n *node, ctx context.Context) error { return n.Keep(ctx) }).Hidden = true
	return command
}

func newNode(root string, syncFrequency time.Duration) *node {
	n := &node{root: root, syncFrequency: syncFrequency}
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	// The parent of all processes enters the network namespace, and they with it. Not by `ip netns exec`: that mounts
	// another /sys, without the cgroups, and the kubelet does not start.
	n.Keeper = supervise.Keeper{
		Dir: root, Logs: n.dir("log"), Socket: n.dir("keeper.sock"),
		Argv: []string{"nsenter", "--net=" + namespacePath, "--", program, "keep"},
	}
	n.plane = controlplane.Plane{
		Name: nodeName, Dir: n.dir(), Server: "server", Certificates: certificates,
		// The ports are the usual ones: nothing else is in the network namespace.
		EtcdURL: "http://" + nodeAddress + ":2379", PeerURL: "http://127.0.0.1:2380", URL: "https://" + nodeAddress + ":6443",
	}
	return n
}

// locked is f as the only one that changes the node.
func locked(f func(*node, context.Context) error) func(*node, context.Context) error {
	return func(n *node, ctx context.Context) error {
		waiting := func() { linef("waiting for another node command to finish") }
		return supervise.WithLock(ctx, filepath.Join(n.root, "bin", "node.lock"), waiting, func(ctx context.Context) error { return f(n, ctx) })
	}
}

// dir is a place below bin/node.
func (n *node) dir(elem ...string) string {
	return filepath.Join(append([]string{n.root, "bin", "node"}, elem...)...)
}

func (n *node) config(file string) string     { return n.dir("config", file) }
func (n *node) kubeconfig(user string) string { return n.dir(user + ".kubeconfig") }
func (n *node) socket() string                { return n.dir("containerd.sock") }
func (n *node) podLogs() string               { return n.dir("log", "pods") }

func linef(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// run runs a command that is over soon and returns what it prints; an error holds what it printed on stderr.
func run(ctx context.Context, argv ...string) (string, error) {
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), errors.Join(ctx.Err(), err), strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// status lists the processes and says whether pods can run. It changes nothing, and so needs no lock.
func (n *node) status(ctx context.Context) error {
	list, err := n.List(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		linef("nothing is running")
		return nil
	}
	for _, p := range list {
		linef("%-24s process %-8d since %s, log %s", p.Name, p.PID, p.Started.Format(time.TimeOnly), n.Log(p.Name))
	}
	// The kubectl that belongs to the cluster is the one beside the API server.
	i := slices.IndexFunc(list, func(p supervise.Status) bool { return p.Name == "kube-apiserver" })
	if i < 0 {
		return nil
	}
	n.plane.Assets = filepath.Dir(list[i].Argv[0])
	if err := n.podsCanRun(ctx); err != nil {
		linef("pods cannot run: %v", err)
		return nil
	}
	linef("pods can run: source bin/node/env")
	return nil
}
