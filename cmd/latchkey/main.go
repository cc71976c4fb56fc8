// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command latchkey is both processes of Latchkey: "latchkey controller" reconciles
// and keeps the keys, "latchkey server" admits objects and serves the REST APIs.
// "latchkey uninstall" detaches the API server from both before they are removed.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	ctrl "sigs.k8s.io/controller-runtime"
)

// version is set by the build.
var version = "dev"

// garbage is how much garbage may collect before Go frees it, in percent of the memory in
// use. Go's default is 100. The memory in use is caches that hardly change, and freeing
// garbage costs little beside the requests that made it.
const garbage = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	root := &cobra.Command{
		Use:           "latchkey",
		Short:         "Every user's and every agent environment's own secrets, in Kubernetes",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(controllerCommand(), serverCommand(), uninstallCommand())
	if err := root.ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "latchkey:", err)
		os.Exit(1)
	}
}

// choices are the flags of a command.
type choices interface {
	addFlags(fs *pflag.FlagSet)
	validate() error
}

// command returns a command without arguments, which runs if its flags are valid.
func command(use, short string, o choices, run func(context.Context) error) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return run(cmd.Context())
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}
