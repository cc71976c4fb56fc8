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
	return cmd
}

func (o *importer) run(ctx context.Context, f *cli.Factory, path string) error {
	c, namespace, err := begin(f, nil, o.dryRun)
	if err != nil {
		return err
	}
	entries, err := o.read(f, path)
	if err != nil {
		return err
	}
	progress := f.Progress("dry runs")
	plan, err := importing.Make(ctx, c, namespace, entries, o.overwrite, "--overwrite", progress.Say)
	progress.End()
	if err != nil {
		return err
	}
	if err := printPlan(f, plan); err != nil {
		return err
	}
	switch writes := plan.Count(importing.Create, importing.Overwrite); {
	case plan.Count(importing.Refused) > 0:
		return cli.Refused("%s refused, so nothing was written", counted(plan.Count(importing.Refused), "key"))
	case writes == 0 || o.dryRun != "none":
		f.Notice("Nothing was written.")
		return nil
	case !o.yes:
		if path == "-" {
			return cli.Usage("standard input is the file, so nobody can be asked: add --yes")
		}
		if err := f.Confirm(ctx, fmt.Sprintf("Write %s to namespace %s?", counted(writes, "secret"), namespace)); err != nil {
			return err
		}
	}
	return write(ctx, f, c, namespace, plan)
}

func (o *importer) read(f *cli.Factory, path string) ([]imports.Entry, error) {
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
	in := f.In
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

func printPlan(f *cli.Factory, plan importing.Plan) error {
	var rows [][]any
	for _, p := range plan {
		rows = append(rows, []any{p.Key, p.Env, p.Action, strings.ReplaceAll(p.Why, "\n", " ")})
	}
	return (&cli.Output{}).Table(f.Out, []cli.Column{{Name: "Key"}, {Name: "Env"}, {Name: "Action"}, {Name: "Why"}}, rows)
}

// write writes what was planned, and says how far it came.
func write(ctx context.Context, f *cli.Factory, c *cluster.Cluster, namespace string, plan importing.Plan) error {
	progress := f.Progress("written")
	result, err := plan.Write(ctx, c, namespace, progress.Say)
	progress.End()
	if err == nil {
		f.Notice("%s written.", counted(len(result.Done), "secret"))
		return nil
	}
	f.Notice("done: %s\nfailed: %s\nnot tried: %s\nRun it again to go on: what is done stays as it is.",
		orNone(result.Done), result.Failed, orNone(result.NotTried))
	if len(result.Done) == 0 {
		return err
	}
	return &cli.Error{Code: cli.CodeNo, Err: err}
}

func orNone(keys []string) string {
	if len(keys) == 0 {
		return "none"
	}
	return strings.Join(keys, ", ")
}
