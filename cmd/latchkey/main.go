// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command latchkey is both processes of Latchkey: "latchkey controller" reconciles
// and keeps the keys, "latchkey server" admits objects and serves the REST APIs.
// "latchkey uninstall" takes the API server off both before they go.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
)

// version is set by the build.
var version = "dev"

func main() {
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
