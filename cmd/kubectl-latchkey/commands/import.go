// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/importing"
	"github.com/latchkey-dev/latchkey/internal/imports"
)

type importer struct {
	format         string
	overwrite, yes bool
	dryRun         string
	output         cli.Output
}

func newImport(f *cli.Factory) *cobra.Command {
	o := &importer{}
	cmd := &cobra.Command{
		Use: "import FILE|-", Short: "Create a user secret for every key of a file: .env, JSON or YAML", Args: names(1, 1),
		Long: "Create a user secret for every key of a file.\n\n" +
			"What would be done is shown without values, from dry runs, and asked for. Where a key is refused, nothing is written. The Kubernetes API\n" +
			"takes one object at a time: beside two requests for what is there, every key takes a dry run and a write. Run it again to go on\n" +
			"after a failure: what is done stays as it is.",
		Example: "  kubectl latchkey import .env\n  sops -d secrets.yaml | kubectl latchkey import - --format yaml --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), f, args[0])
		},
	}
	cmd.Flags().StringVar(&o.format, "format", "", "env, json or yaml; without it, the end of the file's name says so")
	cmd.Flags().BoolVar(&o.overwrite, "overwrite", false, "replace the values of secrets that exist")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	addDryRun(cmd.Flags(), &o.dryRun)
	o.output.AddFlag(cmd.Flags(), "json", "yaml", "name")
	return cmd
}

func (o *importer) run(ctx context.Context, f *cli.Factory, path string) error {
	c, namespace, err := begin(f, &o.output, o.dryRun)
	if err != nil {
		return err
	}
	entries, err := o.read(ctx, f, path)
	if err != nil {
		return err
	}
	plan, err := importing.Make(ctx, c, namespace, entries, o.overwrite, "--overwrite")
	if err == nil && o.dryRun != "client" {
		progress := f.Progress("dry runs")
		err = plan.DryRun(ctx, c, namespace, progress.Say)
		progress.End()
	}
	if err != nil {
		return err
	}
	if err := o.preview(f, plan); err != nil {
		return err
	}
	switch writes := plan.Count(importing.Create, importing.Overwrite); {
	case plan.Count(importing.Refused) > 0:
		return cli.Refused("%s refused, so nothing was written: mend the file, or what is in its way. Try: kubectl latchkey list -n %s",
			cli.Counted(plan.Count(importing.Refused), "key"), namespace)
	case writes == 0 || o.dryRun != "none":
		f.Notice("Nothing was written.")
		return o.result(f, plan, namespace)
	case !o.yes:
		if path == "-" {
			return cli.Usage("standard input is the file, so nobody can be asked: add --yes")
		}
		if err := f.Confirm(ctx, fmt.Sprintf("Write %s to namespace %s?", cli.Counted(writes, "secret"), namespace)); err != nil {
			return err
		}
	}
	if err := write(ctx, f, c, namespace, plan); err != nil {
		return err
	}
	return o.result(f, plan, namespace)
}

func (o *importer) read(ctx context.Context, f *cli.Factory, path string) ([]imports.Entry, error) {
	format := o.format
	if format == "" {
		format = importing.FormatOf(path)
	}
	switch format {
	case imports.Env, imports.JSON, imports.YAML:
	case "":
		return nil, cli.Usage("the name of the file does not say its format: add --format env, json or yaml")
	default:
		return nil, cli.Usage("--format is env, json or yaml")
	}
	in := f.Input(ctx)
	if path != "-" {
		file, err := os.Open(path) //nolint:gosec // the file that the caller names
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, importing.MaxBytes))
	if err != nil {
		return nil, err
	}
	return importing.Parse(format, string(text))
}

// preview shows what would be done. With -o it is not the result.
func (o *importer) preview(f *cli.Factory, plan importing.Plan) error {
	to := f.Out
	if o.output.Format != "" {
		to = f.ErrOut
	}
	var rows [][]any
	for _, p := range plan {
		rows = append(rows, []any{p.Key, p.Env, p.Action, strings.ReplaceAll(p.Why, "\n", " ")})
	}
	return (&cli.Output{}).Table(to, []cli.Column{{Name: "Key"}, {Name: "Env"}, {Name: "Action"}, {Name: "Why"}}, rows)
}

// result prints the secrets with -o.
func (o *importer) result(f *cli.Factory, plan importing.Plan, namespace string) error {
	if o.output.Format == "" {
		return nil
	}
	return printList(f, &o.output, plan.Items(namespace), false, namespace)
}

// write writes what was planned, and says how far it came.
func write(ctx context.Context, f *cli.Factory, c *cluster.Cluster, namespace string, plan importing.Plan) error {
	progress := f.Progress("written")
	result, err := plan.Write(ctx, c, namespace, progress.Say)
	progress.End()
	if err == nil {
		f.Notice("%s written.", cli.Counted(len(result.Done), "secret"))
		return nil
	}
	return stopped(f, result.Done, result.Failed, result.NotTried, "Run it again to go on: what is done stays as it is.", err)
}
