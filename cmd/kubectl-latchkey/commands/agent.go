// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/agents"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/notation"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

func newAgent(f *cli.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Read and write the typed secrets of agents",
		Long: "Read and write AgentSecrets, by their path, such as db/password.\n\n" +
			"Types: bool, s8 to s64, u8 to u64, f32, f64, char, string, option<T>, list<T>, tuple<A, B>, record{host: string, port: u16},\n" +
			"variant{none, some(string)}, enum{a, b}, flags{a, b}, result<T, E>, the JSON form of the API, or @FILE.",
	}
	cmd.AddCommand(newAgentList(f), newAgentGet(f), newAgentSet(f), newAgentUnset(f), newAgentDelete(f))
	return cmd
}

// parseType reads a type from a flag, or from the file that it names behind an @.
func parseType(text string) (*typedvalue.Type, error) {
	if file, is := strings.CutPrefix(text, "@"); is {
		content, err := os.ReadFile(file) //nolint:gosec // the file that the caller named
		if err != nil {
			return nil, err
		}
		t, err := notation.Parse(string(content))
		if err != nil {
			return nil, cli.Usage("--type %s: %w", text, err)
		}
		return t, nil
	}
	t, err := notation.Parse(text)
	if err != nil {
		return nil, cli.Usage("--type: %w", err)
	}
	return t, nil
}

func splitPath(text string) []string { return strings.Split(strings.Trim(text, "/"), "/") }

func agentsOf(f *cli.Factory, output *cli.Output, dryRun string) (*agents.Agents, string, error) {
	c, namespace, err := begin(f, output, dryRun)
	if err != nil {
		return nil, "", err
	}
	a := agents.New(c, namespace)
	a.DryRun, a.SendNothing = dryRun == "server", dryRun == "client"
	return a, namespace, nil
}

func readyText(s *v1alpha1.AgentSecret) string {
	for _, c := range s.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady {
			return string(c.Status) + " " + c.Reason
		}
	}
	return "-"
}

func newAgentList(f *cli.Factory) *cobra.Command {
	var out cli.Output
	var selector string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the secrets of agents, without values",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, namespace, err := agentsOf(f, &out, "none")
			if err != nil {
				return err
			}
			if err := checkSelector(selector); err != nil {
				return err
			}
			all, err := a.List(cmd.Context(), metav1.ListOptions{LabelSelector: selector})
			if err != nil {
				return err
			}
			switch {
			case out.Structured():
				list := &v1alpha1.AgentSecretList{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "AgentSecretList"}}
				for _, s := range all {
					s.ManagedFields = nil
					list.Items = append(list.Items, *s)
				}
				return out.Object(f.Out, list, "")
			case out.Format == "name":
				for _, s := range all {
					f.Printf("agentsecret.latchkey.dev/%s\n", s.Name)
				}
				return nil
			case len(all) == 0 && selector != "":
				f.Notice("There are no agent secrets with these labels. Try: kubectl latchkey agent list -n %s", namespace)
				return nil
			case len(all) == 0:
				f.Notice("There are no agent secrets in namespace %s. Try: kubectl latchkey agent set PATH --type string -n %[1]s", namespace)
				return nil
			}
			rows := make([][]any, len(all))
			for i, s := range all {
				rows[i] = []any{agents.PathText(s.Spec.Path), agents.TypeText(s), s.Spec.Revision, readyText(s), s.Name}
			}
			return out.Table(f.Out, []cli.Column{{Name: "PATH"}, {Name: "TYPE"}, {Name: "REVISION"}, {Name: "READY"}, {Name: "NAME", Wide: true}}, rows)
		},
	}
	out.AddFlag(cmd.Flags(), "json", "yaml", "name", "wide")
	cmd.Flags().StringVarP(&selector, "selector", "l", "", "label selector")
	return cmd
}

func newAgentGet(f *cli.Factory) *cobra.Command {
	var out cli.Output
	var reveal bool
	cmd := &cobra.Command{
		Use:   "get PATH",
		Short: "Show a secret of agents, or its value",
		Long: "Show a secret of agents. With --reveal its value goes to standard output, the text of a string as it is and everything else as\n" +
			"JSON; that needs the right to get agentsecrets/value.",
		Args: names(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reveal && out.Format != "" {
				return cli.Usage("--reveal and -o exclude each other")
			}
			a, namespace, err := agentsOf(f, &out, "none")
			if err != nil {
				return err
			}
			s, err := a.Get(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if s == nil {
				return noAgent(args[0], namespace)
			}
			if reveal {
				value, err := a.Reveal(cmd.Context(), s)
				if err != nil {
					return err
				}
				t, err := agents.Type(s)
				if err != nil {
					return err
				}
				text := typedvalue.PrintRaw(t, value.Reveal())
				if _, err := f.Out.Write(text); err == nil && f.OutTerminal {
					f.Printf("\n")
				}
				return nil
			}
			if out.Format != "" {
				return out.Object(f.Out, s, "")
			}
			value := "set"
			if s.Spec.SealedValue == "" {
				value = "none"
			}
			f.Printf("Path:      %s\nType:      %s\nRevision:  %d\nValue:     %s\nReady:     %s\nName:      %s/%s\n",
				agents.PathText(s.Spec.Path), cli.Plain(agents.TypeText(s)), s.Spec.Revision, value, cli.Plain(readyText(s)), s.Namespace, s.Name)
			return nil
		},
	}
	out.AddFlag(cmd.Flags(), "json", "yaml", "name")
	cmd.Flags().BoolVar(&reveal, "reveal", false, "print the value")
	return cmd
}

func noAgent(path, namespace string) error {
	return cli.Refused("there is no agent secret %s in namespace %s. Try: kubectl latchkey agent list -n %s", path, namespace, namespace)
}
