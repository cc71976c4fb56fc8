// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"github.com/spf13/pflag"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

// begin checks the flags that commands share, before anything is asked, and opens the
// cluster. A command without one of the flags passes nil, or "none".
func begin(f *cli.Factory, output *cli.Output, dryRun string) (c *cluster.Cluster, namespace string, err error) {
	if output != nil {
		if err := output.Check(); err != nil {
			return nil, "", err
		}
	}
	switch dryRun {
	case "none", "client", "server":
		return cluster.Open(f)
	}
	return nil, "", cli.Usage("--dry-run is none, client or server")
}

func addDryRun(set *pflag.FlagSet, to *string) {
	set.StringVar(to, "dry-run", "none", "none, client (send nothing) or server (check, and store nothing)")
	set.Lookup("dry-run").NoOptDefVal = "client"
}
