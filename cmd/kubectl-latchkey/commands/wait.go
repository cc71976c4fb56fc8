// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/revoke"
)

// lookEvery is how often the pods are looked at. A state also changes with time alone, so
// looking is simpler than watching, and cheap beside what a rollout asks of the API.
const lookEvery = 2 * time.Second

func newWait(f *cli.Factory) *cobra.Command {
	var which kinds
	var timeout time.Duration
	var strict bool
	cmd := &cobra.Command{
		Use: "wait NAME", Short: "Wait until no container has an older value of a secret", Args: names(1, 1),
		Example: "  kubectl latchkey set github-token && kubectl latchkey wait github-token && revoke-the-old-one",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, items, err := findAll(cmd, f, &which, nil, "none", args)
			if err != nil {
				return err
			}
			a, err := awaitSafe(cmd.Context(), f, c, items[0], timeout, strict)
			if err != nil {
				return err
			}
			f.Printf("%s\n", verdict(f, a, strict))
			return nil
		},
	}
	which.addFlag(cmd.Flags())
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "how long to wait")
	cmd.Flags().BoolVar(&strict, "strict", false, "wait also for programs that may have read a live directory before the change")
	return cmd
}

// awaitSafe returns once the old value can be revoked.
func awaitSafe(ctx context.Context, f *cli.Factory, c *cluster.Cluster, item cluster.Item, timeout time.Duration, strict bool) (revoke.Answer, error) {
	var last revoke.Answer
	said := ""
	err := wait.PollUntilContextTimeout(ctx, lookEvery, timeout, true, func(ctx context.Context) (bool, error) {
		now, err := c.Get(ctx, item)
		if err != nil {
			return false, err
		}
		pods, err := c.Pods(ctx, item.Meta().Namespace)
		if err != nil {
			return false, err
		}
		last = revoke.Of(now, pods)
		if last.IsSafe(strict) {
			return true, nil
		}
		if text := verdict(f, last, strict); text != said {
			said = text
			f.Notice("%s", text)
		}
		return false, nil
	})
	switch {
	case err == nil:
		return last, nil
	case ctx.Err() != nil:
		return last, ctx.Err()
	case wait.Interrupted(err):
		if last.Name == "" {
			return last, cli.Timeout("after %s: %s was not looked at in time. Try: kubectl latchkey usage %[2]s -n %[3]s", timeout, item.Meta().Name, item.Meta().Namespace)
		}
		text := verdict(f, last, strict)
		if len(last.Remedies(strict, "")) == 0 {
			text += " See: kubectl latchkey usage " + item.Meta().Name + " -n " + item.Meta().Namespace
		}
		return last, cli.Timeout("after %s: %s", timeout, text)
	}
	return last, err
}
