// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/revoke"
)

// deleted is what became of a secret that is gone.
const deleted = "deleted"

type deleter struct {
	output          cli.Output
	dryRun          string
	yes, whenUnused bool
	timeout         time.Duration
}

func newDelete(f *cli.Factory) *cobra.Command {
	o := &deleter{}
	var which kinds
	cmd := &cobra.Command{
		Use: "delete NAME…", Short: "Delete secrets, after asking", Args: names(1, 0),
		Long: "Delete secrets, after saying who uses them and asking.\n\n" +
			"With --when-unused, user secrets are disabled first, which takes them out of new containers, and deleted once no container\n" +
			"has them. When that takes too long, they stay disabled: `kubectl latchkey enable` takes that back, and the same command goes on.",
		Example: "  kubectl latchkey delete github-token\n  kubectl latchkey delete github-token --when-unused --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, items, err := findAll(cmd, f, &which, &o.output, o.dryRun, args)
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), f, c, items)
		},
	}
	which.addFlag(cmd.Flags())
	addDryRun(cmd.Flags(), &o.dryRun)
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&o.whenUnused, "when-unused", false, "disable them, wait until no container has them, and delete them then")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long to wait with --when-unused")
	o.output.AddFlag(cmd.Flags(), "json", "yaml", "name")
	return cmd
}

func (o *deleter) run(ctx context.Context, f *cli.Factory, c *cluster.Cluster, items []cluster.Item) error {
	question := "Delete " + listed(items) + "? Nobody can bring the values back."
	if o.whenUnused {
		for _, i := range items {
			if i.User == nil {
				return cli.Usage("AgentSecret %s cannot be disabled: --when-unused is for user secrets", i.Meta().Name)
			}
		}
		question = "Disable " + listed(items) + ", wait until no container has the values, and delete then? Nobody can bring the values back."
	}
	if !o.yes && o.dryRun == "none" {
		sayUse(ctx, f, c, items)
		if err := f.Confirm(ctx, question); err != nil {
			return err
		}
	}
	if o.whenUnused && o.dryRun == "none" {
		if err := awaitUnused(ctx, f, c, items, o.timeout); err != nil {
			return err
		}
	}
	return several(f, "kubectl latchkey delete", items, func(item cluster.Item) error {
		if o.dryRun != "client" {
			if err := c.Delete(ctx, item, o.dryRun == "server"); err != nil {
				return err
			}
		}
		return o.output.Object(f.Out, item.Object(), deleted+dryRunNote(o.dryRun))
	})
}

// sayUse says who uses secrets.
func sayUse(ctx context.Context, f *cli.Factory, c *cluster.Cluster, items []cluster.Item) {
	pods, err := c.Pods(ctx, items[0].Meta().Namespace)
	if err != nil {
		f.Notice("Who uses them is not known: %s", err)
		return
	}
	for _, item := range items {
		a := revoke.Of(item, pods)
		if a.Summary.Containers == 0 {
			continue
		}
		var by []string
		for _, u := range a.Uses {
			if text := u.Workload + " (" + u.Container + ")"; len(by) == 0 || by[len(by)-1] != text {
				by = append(by, text)
			}
		}
		f.Notice("%s %s is in %s: %s", item.Kind(), item.Meta().Name, cli.Counted(a.Summary.Containers, "container"), strings.Join(by, ", "))
	}
}

func listed(items []cluster.Item) string {
	var texts []string
	for _, i := range items {
		texts = append(texts, fmt.Sprintf("%s %s", i.Kind(), i.Meta().Name))
	}
	return strings.Join(texts, ", ")
}
