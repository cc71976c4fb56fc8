// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command latchkey is both processes of Latchkey: "latchkey controller" reconciles
// and keeps the keys, "latchkey server" admits objects and serves the REST APIs.
// "latchkey uninstall" takes the API server off both before they go.
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

// garbage is how much memory may be garbage before it is collected, as a part of what is in
// use, in percent. Go's own choice is 100. What is in use are caches that hardly change, and
// a collection costs little beside the requests that made the garbage.
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
