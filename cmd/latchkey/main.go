// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command latchkey is both processes of Latchkey: "latchkey controller" reconciles
// and keeps the keys, "latchkey server" admits objects and serves the REST APIs.
// "latchkey uninstall" detaches the API server from both before they are removed.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
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
