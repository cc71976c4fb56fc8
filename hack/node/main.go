// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command node runs a Kubernetes cluster of one node on this machine, with real containers: etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler, kube-proxy and kubelet built from Go modules, containerd and runc from the
// distribution's packages, all in a network namespace of their own.
//
// It needs Linux and root. Everything it owns is below bin/node, or has a name or a place that only it uses: the network
// namespace, a pair of network devices, one cgroup per hierarchy. What it finds changed by the kubelet outside of that is
// put back. It ends only processes that it started, containers in its own cgroup, and the shims of its own containerd.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// Exit codes: a caller may leave out what needs a node where none can run, but not where one failed.
const (
	exitFailed     = 1
	exitUnsuitable = 3
)

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
	var root string
	command := &cobra.Command{
		Use:           "node",
		Short:         "Runs a Kubernetes node with real containers on this machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	command.PersistentFlags().StringVar(&root, "root", "", "root of the source tree (default: found from the working directory)")
	open := func() (*node, error) { return openNode(root, os.Stdout) }
	command.AddCommand(newPreflightCommand(open), newUpCommand(open), newDownCommand(open), newStatusCommand(open),
		newImageCommand(open))
	return command
}

func newPreflightCommand(open func() (*node, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "preflight",
		Short: "Says what this machine lacks; ends with status 3 if a node cannot run here",
		Long: "Says what this machine lacks, and ends with status 3 if a node cannot run here.\n" +
			"As root on Debian and its kin, missing packages are installed first.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := open()
			if err != nil {
				return err
			}
			if err := n.preflight(cmd.Context()); err != nil {
				return err
			}
			n.Linef("a node can run here")
			return nil
		},
	}
}

func newUpCommand(open func() (*node, error)) *cobra.Command {
	var o upOptions
	command := &cobra.Command{
		Use:   "up",
		Short: "Starts what is not running and waits until pods can run; ends with status 3 if a node cannot run here",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := open()
			if err != nil {
				return err
			}
			return n.locked(cmd.Context(), func(ctx context.Context) error { return n.up(ctx, o) })
		},
	}
	o.addFlags(command.Flags())
	return command
}

func newDownCommand(open func() (*node, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Ends and removes everything that up started and made",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := open()
			if err != nil {
				return err
			}
			return n.locked(cmd.Context(), n.down)
		},
	}
}

func newStatusCommand(open func() (*node, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Lists the processes, and says whether the node is ready",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := open()
			if err != nil {
				return err
			}
			return n.status(cmd.Context())
		},
	}
}
