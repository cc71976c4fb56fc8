// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command localstack runs Latchkey on this machine: etcd and kube-apiserver built from Go modules, the controller,
// any number of servers and a small load balancer in front of them, all on loopback and without privileges.
//
// Everything it owns is below bin/dev: keys, logs, data, and one record per process that it started. It ends only
// processes that such a record describes exactly. There is no kube-controller-manager: nothing collects garbage and a
// deleted Namespace stays Terminating.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

func main() {
	// Keys, tokens and etcd's data: nobody else on the machine reads them. The processes inherit this.
	syscall.Umask(0o077)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	cancel()
	if err != nil {
		supervise.Explain(os.Stderr, "localstack", err)
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	var root string
	command := &cobra.Command{
		Use:           "localstack",
		Short:         "Runs Latchkey with a real API server on this machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	command.PersistentFlags().StringVar(&root, "root", "", "root of the source tree (default: found from the working directory)")
	open := func() (*stack, error) { return openStack(root, os.Stdout) }
	command.AddCommand(newUpCommand(open), newDownCommand(open), newStatusCommand(open), newQuickstartCommand(open), newBalanceCommand(), newRestarterCommand(open))
	return command
}

func newUpCommand(open func() (*stack, error)) *cobra.Command {
	var o upOptions
	command := &cobra.Command{
		Use:   "up",
		Short: "Starts what is not running, restarts what changed, and waits until it is ready",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open()
			if err != nil {
				return err
			}
			return s.locked(cmd.Context(), func(ctx context.Context) error { return s.up(ctx, o) })
		},
	}
	o.addFlags(command.Flags())
	command.Flags().BoolVar(&o.controlPlaneOnly, "control-plane-only", false, "only etcd and kube-apiserver")
	return command
}

func newDownCommand(open func() (*stack, error)) *cobra.Command {
	var wipe bool
	command := &cobra.Command{
		Use:   "down",
		Short: "Ends the processes that up started; the data stays unless --wipe is given",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open()
			if err != nil {
				return err
			}
			return s.locked(cmd.Context(), func(ctx context.Context) error { return s.down(ctx, wipe) })
		},
	}
	command.Flags().BoolVar(&wipe, "wipe", false, "also remove bin/dev: data, keys, logs and ports")
	return command
}

func newStatusCommand(open func() (*stack, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Lists the processes",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open()
			if err != nil {
				return err
			}
			return s.status(cmd.Context())
		},
	}
}

func newQuickstartCommand(open func() (*stack, error)) *cobra.Command {
	var o upOptions
	command := &cobra.Command{
		Use:   "quickstart",
		Short: "Brings the stack up, applies config/samples and shows what became of them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open()
			if err != nil {
				return err
			}
			return s.locked(cmd.Context(), func(ctx context.Context) error { return s.quickstart(ctx, o) })
		},
	}
	o.addFlags(command.Flags())
	return command
}
