// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/agents"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
)

// writeOptions are those of all that writes.
type writeOptions struct {
	revision int64
	dryRun   string
	output   cli.Output
	flags    *pflag.FlagSet
}

func (o *writeOptions) addFlags(set *pflag.FlagSet) {
	o.flags = set
	set.Int64Var(&o.revision, "if-revision", 0, "write only if the secret has this revision")
	addDryRun(set, &o.dryRun)
	o.output.AddFlag(set, "json", "yaml", "name")
}

func (o *writeOptions) ifRevision() *int64 {
	if !o.flags.Changed("if-revision") {
		return nil
	}
	return &o.revision
}

// done prints a secret as it is stored now, and what became of it.
func (o *writeOptions) done(f *cli.Factory, s *v1alpha1.AgentSecret, what string) error {
	if o.output.Format != "" {
		return o.output.Object(f.Out, s, "")
	}
	text := agents.PathText(s.Spec.Path) + " " + what + dryRunNote(o.dryRun)
	if what != deleted {
		text += fmt.Sprintf(", revision %d", s.Spec.Revision)
	}
	f.Printf("%s\n", text)
	return nil
}

func newAgentSet(f *cli.Factory) *cobra.Command {
	var o writeOptions
	var source cli.ValueSource
	var typ, name string
	var isJSON bool
	cmd := &cobra.Command{
		Use:   "set PATH [--type TYPE]",
		Short: "Set the value of a secret of agents, and make it if there is none",
		Long: "Set the value of a secret of agents. It comes from a prompt, from standard input or from a file: text for a string, JSON for\n" +
			"any other type. A new secret needs a type, which cannot change later.",
		Example: "  kubectl latchkey agent set db/password --type string < password\n" +
			"  echo '{\"host\": \"db-sample.invalid\", \"port\": 5432}' |\n    kubectl latchkey agent set db/address --type 'record{host: string, port: u16}'",
		Args: names(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w := agents.Write{Path: args[0], Name: name, IfRevision: o.ifRevision()}
			var err error
			if typ != "" {
				if w.Type, err = parseType(typ); err != nil {
					return err
				}
			}
			a, namespace, err := agentsOf(f, &o.output, o.dryRun)
			if err != nil {
				return err
			}
			s, err := a.Get(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			// Before anybody is asked for a value in vain.
			t := w.Type
			if s != nil {
				if t, err = agents.Type(s); err != nil {
					return err
				}
			}
			if t == nil {
				return cli.Refused("there is no agent secret %s in namespace %s yet: give its type. Try: kubectl latchkey agent set %[1]s --type string -n %[2]s", args[0], namespace)
			}
			keys, _, err := (&keySource{}).read(cmd.Context(), f)
			if err != nil {
				return err
			}
			value, found, err := source.Read(cmd.Context(), f.Streams, args[0], true)
			if err != nil {
				return err
			}
			if !found {
				return cli.Usage("there is no value: pipe it in, or name a file with --value-file")
			}
			w.Value, w.Key = agents.AsJSON(t, value, isJSON), keys.Newest
			stored, created, err := a.Set(cmd.Context(), s, w)
			if err != nil {
				return err
			}
			what := "set"
			if created {
				what = "created"
			}
			return o.done(f, stored, what)
		},
	}
	o.addFlags(cmd.Flags())
	source.AddFlags(cmd.Flags())
	cmd.Flags().StringVar(&typ, "type", "", "type of a new secret, such as string or record{host: string, port: u16}; @FILE reads it from a file")
	cmd.Flags().StringVar(&name, "name", "", "metadata.name of a new secret; else it is made from the path")
	cmd.Flags().BoolVar(&isJSON, "json", false, "the value of a string is a JSON string too")
	return cmd
}

// change runs a write on the secret at a path.
func change(ctx context.Context, f *cli.Factory, o *writeOptions, path string, write func(*agents.Agents, *v1alpha1.AgentSecret) error) error {
	a, namespace, err := agentsOf(f, &o.output, o.dryRun)
	if err != nil {
		return err
	}
	s, err := a.Get(ctx, path)
	if err != nil {
		return err
	}
	if s == nil {
		return noAgent(path, namespace)
	}
	return write(a, s)
}

func newAgentUnset(f *cli.Factory) *cobra.Command {
	var o writeOptions
	cmd := &cobra.Command{
		Use:   "unset PATH",
		Short: "Take the value of a secret of agents away; its path and type stay",
		Args:  names(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return change(cmd.Context(), f, &o, args[0], func(a *agents.Agents, s *v1alpha1.AgentSecret) error {
				stored, err := a.Unset(cmd.Context(), s, o.ifRevision())
				if err != nil {
					return err
				}
				return o.done(f, stored, "unset")
			})
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func newAgentDelete(f *cli.Factory) *cobra.Command {
	var o writeOptions
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete PATH",
		Short: "Delete a secret of agents",
		Args:  names(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return change(cmd.Context(), f, &o, args[0], func(a *agents.Agents, s *v1alpha1.AgentSecret) error {
				if !yes && o.dryRun == "none" {
					if err := f.Confirm(cmd.Context(), "Delete agent secret "+agents.PathText(s.Spec.Path)+" of namespace "+s.Namespace+"?"); err != nil {
						return err
					}
				}
				if err := a.Delete(cmd.Context(), s, o.ifRevision()); err != nil {
					return err
				}
				return o.done(f, s, deleted)
			})
		},
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}
