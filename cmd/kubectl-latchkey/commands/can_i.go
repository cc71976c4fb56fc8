// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"slices"
	"strings"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

// permission is the answer of can-i.
type permission struct {
	Action  string   `json:"action"`
	Allowed bool     `json:"allowed"`
	Lacks   []string `json:"lacks,omitempty"`
	// Granters can give what is missing, by the commands in Grants.
	Granters []string `json:"granters,omitempty"`
	Grants   []string `json:"grants,omitempty"`
}

func newCanI(f *cli.Factory) *cobra.Command {
	var output cli.Output
	cmd := &cobra.Command{
		Use: "can-i " + strings.Join(actions, "|"), Short: "Say whether you may set secrets, reveal values of agents, run with secrets, or rotate keys",
		Long: "Say whether you may set secrets, reveal values of agents, run with secrets, or rotate keys.\n\n" +
			"Where a right is missing, it is named with who can grant it, and the exit code is 4.",
		Example: "  kubectl latchkey can-i set -n alice", ValidArgs: actions,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(actions, args[0]) {
				return cli.Usage("say one of %s", strings.Join(actions, ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := output.Check(); err != nil {
				return err
			}
			p, err := permissionFor(cmd.Context(), f, args[0])
			if err != nil {
				return err
			}
			if output.Structured() {
				err = output.Data(f.Out, p)
			} else {
				p.show(f)
			}
			if err == nil && !p.Allowed {
				err = cli.Exit(cli.CodeNo)
			}
			return err
		},
	}
	output.AddFlag(cmd.Flags(), "json", "yaml")
	return cmd
}

func permissionFor(ctx context.Context, f *cli.Factory, action string) (permission, error) {
	p := permission{Action: action}
	c, namespace, err := cluster.Open(f)
	if err != nil {
		return p, err
	}
	self, err := c.Self(ctx)
	if err != nil {
		return p, err
	}
	lacks, err := c.Lacks(ctx, rightsFor(action, self.Username, namespace, f.SystemNamespace))
	if err != nil {
		return p, err
	}
	p.Allowed = len(lacks) == 0
	for _, right := range lacks {
		p.Lacks = append(p.Lacks, right.String())
		who, commands := right.Granting()
		p.Granters, p.Grants = union(p.Granters, who), union(p.Grants, commands...)
	}
	return p, nil
}

// union appends what is not there yet.
func union(to []string, more ...string) []string {
	for _, m := range more {
		if !slices.Contains(to, m) {
			to = append(to, m)
		}
	}
	return to
}

func (p permission) show(f *cli.Factory) {
	if p.Allowed {
		f.Printf("%s\n", f.Paint(color.FgGreen, "yes"))
		return
	}
	f.Printf("%s: you may not %s\n", f.Paint(color.FgRed, "no"), strings.Join(p.Lacks, "; "))
	f.Printf("%s can grant it:\n", strings.Join(p.Granters, "; "))
	for _, command := range p.Grants {
		f.Printf("  %s\n", command)
	}
	if p.Action == "set" || p.Action == "reveal" {
		f.Notice("%s", cluster.WithoutRoles)
	}
}
