// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/planning"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/sealing"
)

type planner struct {
	paths    []string
	manager  string
	exitCode bool
	output   cli.Output
}

func newPlan(f *cli.Factory) *cobra.Command {
	o := &planner{}
	cmd := &cobra.Command{
		Use: "plan -f PATH...", Short: "Say what applying manifests would do, and store nothing",
		Long: "Say what applying the UserSecrets and AgentSecrets in manifests would do.\n\n" +
			"The server is asked by dry runs of a server-side apply, so refusals are its own words; values are sealed first. Whether a value\n" +
			"is another one than the stored one is shown to those who may read it; to others it is `value: set`. What pods would find is worked\n" +
			"out by the rules of an installation without options of its own. What a manifest no longer says goes only where the same field\n" +
			"manager said it before.\n\n" +
			"The exit code is 4 where an object is refused or cannot be read, or where a right is missing to see what follows, and with\n" +
			"--exit-code also where anything would change.",
		Example: "  kubectl latchkey plan -f secrets/\n  helm template shop | kubectl latchkey plan -f - -n shop-prod --exit-code",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), f) },
	}
	cmd.Flags().StringSliceVarP(&o.paths, "filename", "f", nil, "files and folders; - is standard input")
	cmd.Flags().StringVar(&o.manager, "field-manager", "kubectl", "who would apply, such as argocd-controller")
	cmd.Flags().BoolVar(&o.exitCode, "exit-code", false, "end with 4 also where anything would change")
	o.output.AddFlag(cmd.Flags(), "json", "yaml")
	return cmd
}

func (o *planner) run(ctx context.Context, f *cli.Factory) error {
	if err := o.output.Check(); err != nil {
		return err
	}
	if len(o.paths) == 0 {
		return cli.Usage("name a file or a folder with -f")
	}
	objects, unread, err := sealing.Objects(o.paths, f.Input(ctx))
	if err != nil {
		return err
	}
	c, err := cluster.New(f)
	if err != nil {
		return err
	}
	published, err := c.Published(ctx)
	if err != nil {
		return err
	}
	p := &planning.Planner{Cluster: c, Server: sealing.Cluster{Cluster: c}, Key: published.Keys.Newest, Limits: published.Limits, Manager: o.manager}
	if p.Namespace, _, err = f.Namespace(); err != nil {
		return err
	}
	progress := f.Progress("dry runs")
	p.Said = progress.Say
	plan, err := p.Plan(ctx, objects)
	progress.End()
	if err != nil {
		return err
	}
	plan.Unknown = append(plan.Unknown, unread...)
	if o.output.Structured() {
		err = o.output.Data(f.Out, plan)
	} else {
		err = showPlan(f, plan)
	}
	if err != nil {
		return err
	}
	changes := len(plan.Objects) - plan.Count(planning.Same)
	if plan.Count(planning.Refused) > 0 || len(plan.Unknown) > 0 || o.exitCode && changes > 0 {
		return cli.Exit(cli.CodeNo)
	}
	return nil
}

func showPlan(f *cli.Factory, plan *planning.Plan) error {
	var rows [][]any
	var rights []string // that are missing, with who grants them: once for all objects
	for _, o := range plan.Objects {
		what := o.Fields
		if o.Value != "" && o.Action == planning.Change {
			what = append(what, "value: "+o.Value)
		}
		why := o.Why
		if first, rest, is := strings.Cut(why, "\n"); is && strings.Contains(rest, " grants it:\n") {
			rights, why = union(rights, why), first
		}
		if why != "" {
			what = append(what, strings.ReplaceAll(why, "\n", " "))
		}
		rows = append(rows, []any{o.Namespace, o.Kind, o.Name, o.Action, strings.Join(what, ", ")})
	}
	columns := []cli.Column{{Name: "Namespace"}, {Name: "Kind"}, {Name: "Name"}, {Name: "Action"}, {Name: "What"}}
	if err := (&cli.Output{}).Table(f.Out, columns, rows); err != nil {
		return err
	}
	for _, group := range []struct {
		sign    string
		targets []planning.Target
	}{
		{"+ variable", plan.VariablesGained}, {"- variable", plan.VariablesLost}, {"+ file", plan.PathsGained}, {"- file", plan.PathsLost},
	} {
		for _, t := range group.targets {
			f.Printf("%s %s of %s/%s\n", group.sign, t.Name, t.Namespace, t.Secret)
		}
	}
	for _, r := range plan.Restarts {
		verb := "restarts"
		if r.Perhaps {
			verb = "restarts if a value is another one"
		}
		f.Printf("%s in %s %s\n", r.Workload, r.Namespace, verb)
	}
	for _, u := range plan.Olds {
		f.Printf("%s in %s keeps the old value of %s: pod %s, container %s, as %s\n", u.Workload, u.Namespace, u.Secret, u.Pod, u.Container, u.As)
	}
	for _, text := range rights {
		f.Printf("%s\n", text)
	}
	for _, text := range plan.Unknown {
		f.Printf("Not known: %s\n", text)
	}
	f.Printf("%d to create, %d to change, %d with a value set, %d the same, %d refused\n", plan.Count(planning.Create), plan.Count(planning.Change),
		plan.Count(planning.ValueSet), plan.Count(planning.Same), plan.Count(planning.Refused))
	return nil
}
