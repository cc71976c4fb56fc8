// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

func newVersion(f *cli.Factory) *cobra.Command {
	var output cli.Output
	var client bool
	cmd := &cobra.Command{
		Use: "version", Short: "Show the versions of the plugin and of Latchkey in the cluster", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := output.Check(); err != nil {
				return err
			}
			versions := map[string]string{"plugin": f.Version}
			var problem error
			if !client {
				versions["server"], problem = serverVersion(cmd, f)
			}
			if output.Structured() {
				return output.Data(f.Out, versions)
			}
			f.Printf("plugin %s\n", f.Version)
			if problem != nil {
				return problem
			}
			if !client {
				f.Printf("server %s\n", versions["server"])
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&client, "client", false, "ask no cluster")
	output.AddFlag(cmd.Flags(), "json", "yaml")
	return cmd
}

func serverVersion(cmd *cobra.Command, f *cli.Factory) (string, error) {
	c, err := cluster.New(f)
	if err != nil {
		return "", err
	}
	published, err := c.Published(cmd.Context())
	if err != nil {
		return "", err
	}
	if published.Version == "" {
		return "older than the plugin: it does not publish its version", nil
	}
	return published.Version, nil
}
