// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"slices"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

func newEnable(f *cli.Factory, enabled bool) *cobra.Command {
	var output cli.Output
	var dryRun string
	use, done, short := "enable", "enabled", "Project user secrets into pods again"
	if !enabled {
		use, done, short = "disable", "disabled", "Keep user secrets stored, and out of new pods"
	}
	cmd := &cobra.Command{
		Use: use + " NAME…", Short: short, Args: names(1, 0),
		Example: "  kubectl latchkey " + use + " github-token",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, items, err := findAll(cmd, f, &kinds{flag: "user"}, &output, dryRun, args)
			if err != nil {
				return err
			}
			return several(f, cmd.CommandPath(), items, func(item cluster.Item) error {
				if dryRun == "client" {
					item.User.Spec.Enabled = &enabled
				} else if item, err = c.Patch(cmd.Context(), item, map[string]any{"enabled": enabled}, dryRun == "server"); err != nil {
					return err
				}
				return output.Object(f.Out, item.Object(), done+dryRunNote(dryRun))
			})
		},
	}
	addDryRun(cmd.Flags(), &dryRun)
	output.AddFlag(cmd.Flags(), "json", "yaml", "name")
	return cmd
}

// findAll returns the secrets that names mean, in one look, so that a name which is wrong
// stops a command before it changes anything.
func findAll(cmd *cobra.Command, f *cli.Factory, which *kinds, output *cli.Output, dryRun string, names []string) (*cluster.Cluster, []cluster.Item, error) {
	c, namespace, err := begin(f, output, dryRun)
	if err != nil {
		return nil, nil, err
	}
	all, partial, err := which.list(cmd.Context(), c, namespace, metav1.ListOptions{})
	if err != nil {
		return nil, nil, err
	}
	var items []cluster.Item
	for _, name := range names {
		item, err := cluster.Pick(all, name)
		switch {
		case err != nil:
			return nil, nil, err
		case item == nil && partial != nil:
			return nil, nil, partial
		case item == nil:
			return nil, nil, cli.Refused("there is no such secret as %q in namespace %s. Try: kubectl latchkey list -n %[2]s", name, namespace)
		}
		if !slices.ContainsFunc(items, func(i cluster.Item) bool { return i.Meta().UID == item.Meta().UID }) {
			items = append(items, *item) // once, also where it is named twice
		}
	}
	return c, items, nil
}
