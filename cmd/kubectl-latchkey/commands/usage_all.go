// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/revoke"
)

// usageOfAll sums the use of every secret of the namespace up.
func usageOfAll(ctx context.Context, f *cli.Factory, which *kinds, output *cli.Output, exitCode bool) error {
	c, namespace, err := begin(f, output, "none")
	if err != nil {
		return err
	}
	items, partial, err := which.list(ctx, c, namespace, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if partial != nil {
		f.Notice("One kind is missing: %s", partial)
	}
	pods, err := c.Pods(ctx, namespace)
	if err != nil {
		return err
	}
	answers, unsafe := []revoke.Answer{}, 0
	var rows [][]any
	for _, i := range items {
		a := revoke.Of(i, pods)
		answers = append(answers, a)
		changed, safe := "-", "yes"
		if a.ChangedAt != nil {
			changed = age(*a.ChangedAt)
		}
		if !a.Safe {
			unsafe++
			safe = "no"
		}
		if a.Unknown != "" {
			safe = "not known"
		}
		s := a.Summary
		rows = append(rows, []any{i.Kind(), a.Name, changed, s.Containers, s.Old, s.Unsure, s.Settling, safe})
	}
	switch {
	case output.Structured():
		err = output.Data(f.Out, answers)
	case len(items) == 0:
		f.Notice(noSecrets, namespace)
	default:
		columns := []cli.Column{
			{Name: "Kind"}, {Name: "Name"}, {Name: "Changed"}, {Name: "Containers"}, {Name: "Old"}, {Name: "Unsure"}, {Name: "Settling"}, {Name: "Safe"},
		}
		err = (&cli.Output{}).Table(f.Out, columns, rows)
	}
	if err == nil && (partial != nil || exitCode && unsafe > 0) {
		err = cli.Exit(cli.CodeNo)
	}
	return err
}
