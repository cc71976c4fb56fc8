// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"strings"
	"time"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/revoke"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/usage"
)

func newUsage(f *cli.Factory) *cobra.Command {
	var output cli.Output
	var which kinds
	var exitCode bool
	cmd := &cobra.Command{
		Use: "usage [NAME]", Short: "Say which containers have a secret, and whether its old value can be revoked; without NAME, of all secrets", Args: names(0, 1),
		Example: "  kubectl latchkey usage github-token\n  kubectl latchkey usage",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageOfAll(cmd.Context(), f, &which, &output, exitCode)
			}
			c, items, err := findAll(cmd, f, &which, &output, "none", args)
			if err != nil {
				return err
			}
			pods, err := c.Pods(cmd.Context(), items[0].Meta().Namespace)
			if err != nil {
				return err
			}
			answer := revoke.Of(items[0], pods)
			if output.Structured() {
				if err := output.Data(f.Out, answer); err != nil {
					return err
				}
			} else if err := showUsage(f, answer); err != nil {
				return err
			}
			if exitCode && !answer.Safe {
				return cli.Exit(cli.CodeNo)
			}
			return nil
		},
	}
	which.addFlag(cmd.Flags())
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "end with 4 where it is not safe to revoke the old value")
	output.AddFlag(cmd.Flags(), "json", "yaml")
	return cmd
}

// showUsage prints who has a secret.
func showUsage(f *cli.Factory, a revoke.Answer) error {
	switch {
	case a.Unknown != "":
		f.Printf("changed: not known, %s\n", a.Unknown)
	case a.ChangedAt != nil:
		f.Printf("changed %s ago\n", age(*a.ChangedAt))
	default:
		f.Printf("not projected into pods\n")
	}
	if len(a.Uses) > 0 {
		var rows [][]any
		for _, u := range a.Uses {
			since := ""
			if u.Since != nil {
				since = age(*u.Since)
			}
			rows = append(rows, []any{u.Workload, u.Pod, u.Container, u.As, u.State, since})
		}
		columns := []cli.Column{{Name: "Workload"}, {Name: "Pod"}, {Name: "Container"}, {Name: "As"}, {Name: "State"}, {Name: "Since"}}
		if err := (&cli.Output{}).Table(f.Out, columns, rows); err != nil {
			return err
		}
	}
	f.Printf("%s\n", verdict(f, a, false))
	f.Printf("Not visible: copies made by programs, `run`, REST readers.\n")
	return nil
}

// verdict says whether the old value can be revoked, and what helps where it cannot.
func verdict(f *cli.Factory, a revoke.Answer, strict bool) string {
	if a.IsSafe(strict) {
		return f.Paint(color.FgGreen, a.Verdict(strict))
	}
	text := f.Paint(color.FgRed, a.Verdict(strict))
	if try := a.Remedies(strict, f.ChosenNamespace()); len(try) > 0 {
		text += " Try: " + strings.Join(try, "; ")
	}
	return text
}

// sayOld says after a change how many containers still have the value of before.
func sayOld(ctx context.Context, f *cli.Factory, c *cluster.Cluster, item cluster.Item) {
	pods, err := c.Pods(ctx, item.Meta().Namespace)
	if err != nil {
		f.Notice("How many containers still have the old value is not known: %s", err)
		return
	}
	now := time.Now()
	s := usage.Summarise(usage.Of(usage.Question{Places: item.Places(), Changed: now, Now: now}, pods))
	if n := s.Old + s.Unsure; n > 0 {
		f.Notice("%s may still have the old value. See: kubectl latchkey usage %s -n %s", cli.Counted(n, "container"), item.Meta().Name, item.Meta().Namespace)
	}
}
