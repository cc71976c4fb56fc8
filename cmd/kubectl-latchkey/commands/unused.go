// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/revoke"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/usage"
)

// awaitUnused disables user secrets and waits until no container has a value of theirs.
func awaitUnused(ctx context.Context, f *cli.Factory, c *cluster.Cluster, items []cluster.Item, timeout time.Duration) error {
	// Where the values lay, before nothing says so any more.
	places := make([][]usage.Place, len(items))
	for i, item := range items {
		places[i] = item.Places()
		if !item.User.IsEnabled() {
			continue
		}
		var err error
		if items[i], err = c.Patch(ctx, item, map[string]any{"enabled": false}, false); err != nil {
			return err
		}
		f.Notice("UserSecret %s is disabled.", item.Meta().Name)
	}
	waiting, said := "", ""
	err := wait.PollUntilContextTimeout(ctx, lookEvery, timeout, true, func(ctx context.Context) (bool, error) {
		pods, err := c.Pods(ctx, items[0].Meta().Namespace)
		if err != nil {
			return false, err
		}
		var left []string
		for i := range items {
			if items[i], err = c.Get(ctx, items[i]); err != nil {
				return false, err
			}
			if text := usedBy(f, items[i], places[i], pods); text != "" {
				left = append(left, text)
			}
		}
		if waiting = strings.Join(left, "; "); waiting != said && waiting != "" {
			said = waiting
			f.Notice("Waiting: %s", waiting)
		}
		return waiting == "", nil
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		f.Notice("Nothing was deleted. What is disabled stays so.")
		return ctx.Err()
	case wait.Interrupted(err):
		return cli.Timeout("after %s: %s. Nothing was deleted. What is disabled stays so. To take that back: kubectl latchkey enable %s -n %s", timeout, waiting, strings.Join(namesOf(items), " "), items[0].Meta().Namespace)
	}
	return errors.Join(err, errors.New("nothing was deleted"))
}

// usedBy says who still has, or may have, the value of a disabled secret; "" for nobody.
func usedBy(f *cli.Factory, item cluster.Item, places []usage.Place, pods []corev1.Pod) string {
	name := item.Meta().Name
	gone, is := goneSince(item)
	if !is {
		return name + " is not out of the native Secrets yet"
	}
	uses := usage.Of(usage.Question{Places: places, Changed: gone, Now: time.Now()}, pods)
	if usage.Summarise(uses).Safe(false) {
		return ""
	}
	a := revoke.Answer{Uses: uses}
	var by []string
	for _, u := range uses {
		if text := fmt.Sprintf("pod %s (%s)", u.Pod, u.Container); u.State != usage.Current && u.State != usage.Assumed && !slices.Contains(by, text) {
			by = append(by, text)
		}
	}
	text := name + " is in " + strings.Join(by, ", ")
	if try := a.Remedies(false, f.ChosenNamespace()); len(try) > 0 {
		text += ". Try: " + strings.Join(try, "; ")
	}
	return text
}

// goneSince returns a time, of the API server's clock, at which the value was out of the
// bundles: the controller writes that a secret is disabled after it took it out, and the
// API server notes when it wrote.
func goneSince(item cluster.Item) (time.Time, bool) {
	ready := item.Ready()
	if ready == nil || ready.Reason != v1alpha1.ReasonDisabled {
		return time.Time{}, false
	}
	var last time.Time
	for _, m := range item.Meta().ManagedFields {
		if m.Subresource == "status" && m.Time != nil && m.Time.After(last) {
			last = m.Time.Time
		}
	}
	return last, !last.IsZero()
}
