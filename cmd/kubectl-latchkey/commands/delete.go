// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

func newDelete(f *cli.Factory) *cobra.Command {
	var (
		output cli.Output
		which  kinds
		dryRun string
		yes    bool
	)
	cmd := &cobra.Command{
		Use: "delete NAME…", Short: "Delete secrets, after asking", Args: names(1, 0),
		Example: "  kubectl latchkey delete github-token",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := output.Check(); err != nil {
				return err
			}
			c, items, err := findAll(cmd, f, &which, dryRun, args)
			if err != nil {
				return err
			}
			if !yes && dryRun == "none" {
				if err := f.Confirm(cmd.Context(), "Delete "+listed(items)+"? Nobody can bring the values back."); err != nil {
					return err
				}
			}
			for _, item := range items {
				word := "deleted"
				if dryRun != "none" {
					word += " (" + dryRun + " dry run)"
				}
				if dryRun != "client" {
					if err := c.Delete(cmd.Context(), item, dryRun == "server"); err != nil {
						return err
					}
				}
				if err := output.Object(f.Out, item.Object(), word); err != nil {
					return err
				}
			}
			return nil
		},
	}
	which.addFlag(cmd.Flags())
	addDryRun(cmd.Flags(), &dryRun)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	output.AddFlag(cmd.Flags(), "name")
	return cmd
}

func listed(items []cluster.Item) string {
	var texts []string
	for _, i := range items {
		texts = append(texts, fmt.Sprintf("%s %s", i.Kind(), i.Meta().Name))
	}
	return strings.Join(texts, ", ")
}
