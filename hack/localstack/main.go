// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command localstack runs Latchkey on this machine: etcd and kube-apiserver built from Go modules, the controller,
// any number of servers and a small load balancer in front of them, all on loopback and without privileges.
//
// Everything it owns is below bin/dev: keys, logs, data. Its processes are children of one that stays when the command
// is over, and starts again what exits. There is no kube-controller-manager: nothing collects garbage and a deleted
// Namespace stays Terminating.
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
	command := &cobra.Command{
		Use:           "localstack",
		Short:         "Runs Latchkey with a real API server on this machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	var o options
	sub := func(use, short string, run func(*stack, context.Context) error) *cobra.Command {
		c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := openStack(o)
			if err != nil {
				return err
			}
			return run(s, cmd.Context())
		}}
		command.AddCommand(c)
		return c
	}
	up := sub("up", "Starts what is not running, restarts what changed, and waits until it is ready", locked((*stack).up))
	quickstart := sub("quickstart", "Brings the stack up, applies config/samples and shows what became of them", locked((*stack).quickstart))
	for _, c := range []*cobra.Command{up, quickstart} {
		c.Flags().IntVar(&o.replicas, "replicas", 2, "how many servers run behind the load balancer")
	}
	down := sub("down", "Ends the processes that up started; the data stays unless --wipe is given", locked((*stack).down))
	down.Flags().BoolVar(&o.wipe, "wipe", false, "also remove bin/dev: data, keys, logs and ports")
	sub("status", "Lists the processes", (*stack).status)
	keep := sub("keep", "Owns the processes of the stack", func(s *stack, ctx context.Context) error { return s.Keep(ctx) })
	balance := newBalanceCommand()
	command.AddCommand(balance)
	keep.Hidden, balance.Hidden = true, true
	return command
}

// locked is f as the only one that changes the stack.
func locked(f func(*stack, context.Context) error) func(*stack, context.Context) error {
	return func(s *stack, ctx context.Context) error {
		waiting := func() { linef("waiting for another localstack command to finish") }
		return supervise.WithLock(ctx, s.path("..", "dev.lock"), waiting, func(ctx context.Context) error { return f(s, ctx) })
	}
}
