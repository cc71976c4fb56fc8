// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

// readyEvery is how often a secret that is to become ready is looked at.
const readyEvery = 200 * time.Millisecond

func stateOf(c *metav1.Condition) string {
	if c == nil {
		return "the controller has not looked at it yet"
	}
	return c.Reason
}

// awaitReady waits until a secret, as it is, is ready.
func awaitReady(ctx context.Context, f *cli.Factory, c *cluster.Cluster, item cluster.Item, timeout time.Duration) error {
	var last *metav1.Condition
	progress := f.Progress("waiting for " + item.Meta().Name)
	defer progress.End()
	err := wait.PollUntilContextTimeout(ctx, readyEvery, timeout, true, func(ctx context.Context) (bool, error) {
		now, err := c.Get(ctx, item)
		if err != nil {
			return false, err
		}
		last = now.Ready()
		progress.Text(stateOf(last))
		return last != nil && last.Status == metav1.ConditionTrue, nil
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case !wait.Interrupted(err):
		return err
	case last == nil:
		return cli.Timeout("%s was stored, and no controller looked at it within %s. Try: kubectl latchkey doctor -n %s", item.Meta().Name, timeout, item.Meta().Namespace)
	}
	return cli.Timeout("%s was stored, and is not ready after %s: %s: %s. Try: kubectl latchkey describe %[1]s -n %[5]s",
		item.Meta().Name, timeout, last.Reason, cli.Plain(last.Message), item.Meta().Namespace)
}
