// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"fmt"
	"strings"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/fixes"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/revoke"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

func newDescribe(f *cli.Factory) *cobra.Command {
	var which kinds
	cmd := &cobra.Command{
		Use: "describe NAME", Short: "Show a secret: where it is found, what is in its way and how to mend that, who uses it", Args: names(1, 1),
		Example: "  kubectl latchkey describe github-token",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, items, err := findAll(cmd, f, &which, nil, "none", args)
			if err != nil {
				return err
			}
			describe(f, items[0])
			pods, err := c.Pods(cmd.Context(), items[0].Meta().Namespace)
			if err != nil {
				f.Notice("Who uses it is missing: %s", err)
				return cli.Exit(cli.CodeNo)
			}
			f.Printf("\nUse: ")
			return showUsage(f, revoke.Of(items[0], pods))
		},
	}
	which.addFlag(cmd.Flags())
	return cmd
}

func describe(f *cli.Factory, i cluster.Item) {
	line := func(label, text string) {
		text = cli.Plain(text)
		if label == "State" && strings.HasPrefix(text, notReady) {
			text = f.Paint(color.FgRed, text)
		}
		if text != "" {
			f.Printf("%-13s %s\n", label+":", strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", 14)))
		}
	}
	line("Name", i.Meta().Name)
	line("Namespace", i.Meta().Namespace)
	line("Kind", i.Kind())
	if i.Known() != i.Meta().Name {
		line("Known as", i.Known())
	}
	if i.User != nil {
		line("Description", i.User.Spec.Description)
	}
	line("Variable", target(i.Env(), i.Status().Env))
	file := i.File()
	if l := i.Status().File; file == "" && l != nil {
		file = l.Key
	}
	line("File", target(file, i.Status().File))
	line("Value", valueOf(i))
	for _, c := range i.Status().Claims {
		line("Claims", fmt.Sprintf("%s %s, since version %s", strings.ToLower(string(c.Kind)), c.Value, c.Since))
	}
	line("State", state(i))
	line("Message", message(i))
	if ready := i.Ready(); ready != nil && ready.Status != "True" {
		if fix := fixes.For(ready.Reason, false, i.Meta().Namespace, i.Meta().Name); fix != "" {
			f.Printf("Fix:\n  %s\n", strings.ReplaceAll(fix, "\n", "\n  "))
		}
	}
}

func target(wanted string, landed *v1alpha1.Landing) string {
	switch {
	case wanted == "":
		return ""
	case landed == nil:
		return wanted + " (not projected)"
	}
	return fmt.Sprintf("%s (key %s of Secret %s)", wanted, landed.Key, landed.SecretName)
}

// valueOf says where the value comes from, and nothing of it.
func valueOf(i cluster.Item) string {
	if i.User != nil && i.User.Spec.ValueFrom != nil {
		from := i.User.Spec.ValueFrom.SecretKeyRef
		return fmt.Sprintf("from key %s of Secret %s", from.Key, from.Name)
	}
	sealed, err := seal.Parse(i.Sealed())
	if err != nil {
		return "none"
	}
	return "sealed with key " + sealed.KeyID()
}
