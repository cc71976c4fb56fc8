// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

func newList(f *cli.Factory) *cobra.Command {
	var (
		output   cli.Output
		which    kinds
		all      bool
		selector string
	)
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the secrets of both kinds",
		Example: "  kubectl latchkey list\n  kubectl latchkey list -A -o wide",
		Args:    names(0, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Usage("list takes no names: kubectl latchkey describe shows one secret")
			}
			c, namespace, err := begin(f, &output, "none")
			if err != nil {
				return err
			}
			if err := checkSelector(selector); err != nil {
				return err
			}
			if all {
				namespace = ""
			}
			items, partial, err := which.list(cmd.Context(), c, namespace, metav1.ListOptions{LabelSelector: selector})
			if err != nil {
				return err
			}
			if len(items) == 0 && selector != "" && (output.Format == "" || output.Format == "wide") {
				f.Notice("There are no secrets with these labels. Try: kubectl latchkey list%s", where(all, namespace))
			} else if err := printList(f, &output, items, all, namespace); err != nil {
				return err
			}
			if partial != nil {
				f.Notice("One kind is missing: %s", partial)
				return cli.Exit(cli.CodeNo)
			}
			return nil
		},
	}
	output.AddFlag(cmd.Flags(), "wide", "json", "yaml", "name")
	which.addFlag(cmd.Flags())
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "list the secrets of all namespaces")
	cmd.Flags().StringVarP(&selector, "selector", "l", "", "list those with these labels")
	return cmd
}

// checkSelector refuses what is no label selector.
func checkSelector(selector string) error {
	if _, err := labels.Parse(selector); err != nil {
		return cli.Usage("--selector: it is no label selector, such as team=ci")
	}
	return nil
}

// noSecrets is said of a namespace, whose name goes into it.
const noSecrets = "There are no secrets in namespace %s. Try: kubectl latchkey set NAME --env VARIABLE -n %[1]s"

// where is the flag that leads to a namespace, or to all.
func where(all bool, namespace string) string {
	if all {
		return " -A"
	}
	return " -n " + namespace
}

func printList(f *cli.Factory, output *cli.Output, items []cluster.Item, all bool, namespace string) error {
	switch {
	case output.Structured():
		list := &corev1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}}
		for _, i := range items {
			i.Meta().ManagedFields = nil
			list.Items = append(list.Items, runtime.RawExtension{Object: i.Object()})
		}
		return output.Object(f.Out, list, "")
	case output.Format == "name":
		for _, i := range items {
			if err := output.Object(f.Out, i.Object(), ""); err != nil {
				return err
			}
		}
		return nil
	case len(items) == 0 && all:
		f.Notice("There are no secrets.")
		return nil
	case len(items) == 0:
		f.Notice(noSecrets, namespace)
		return nil
	}
	columns := []cli.Column{{Name: "Name"}, {Name: "Kind"}, {Name: "State"}, {Name: "Variable"}, {Name: "File"}, {Name: "Age"}, {Name: "Known as", Wide: true}, {Name: "Message", Wide: true}}
	if all {
		columns = append([]cli.Column{{Name: "Namespace"}}, columns...)
	}
	var rows [][]any
	for _, i := range items {
		row := []any{
			i.Meta().Name, i.Kind(), state(i), i.Env(), i.File(), age(i.Meta().CreationTimestamp.Time), i.Known(), message(i),
		}
		if all {
			row = append([]any{i.Meta().Namespace}, row...)
		}
		rows = append(rows, row)
	}
	return output.Table(f.Out, columns, rows)
}

// notReady begins the state of what is not ready.
const notReady = "Not ready: "

// state says in a word or two how a secret is. It has no colour: a table shows the codes
// of one as text.
func state(i cluster.Item) string {
	ready := i.Ready()
	switch {
	case ready == nil || ready.Status == metav1.ConditionUnknown:
		return "Checking"
	case ready.Status == metav1.ConditionTrue:
		return ready.Reason
	}
	return notReady + ready.Reason
}

func message(i cluster.Item) string {
	if ready := i.Ready(); ready != nil {
		return ready.Message
	}
	return "not looked at yet"
}

func age(t time.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(time.Since(t))
}
