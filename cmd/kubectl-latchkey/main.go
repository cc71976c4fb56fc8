// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command kubectl-latchkey is the plugin "kubectl latchkey": what people do with
// Latchkey, with their own rights and through the Kubernetes API alone.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/commands"
)

// version is set when a release is built.
var version = "dev"

func main() {
	ends := []os.Signal{syscall.SIGTERM}
	if !signal.Ignored(os.Interrupt) { // as in a script's background
		ends = append(ends, os.Interrupt)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	code := commands.Run(ctx, cli.System(), version, os.Args[1:])
	stop()
	os.Exit(code)
}
