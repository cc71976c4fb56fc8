// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/imports"
	"github.com/latchkey-dev/latchkey/internal/naming"
	"github.com/latchkey-dev/latchkey/internal/rules"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

const (
	// maxImport is a little more than a file may have, so that the parser says so.
	maxImport = 1<<20 + 1
	// dryRunsAtOnce bounds what an import asks at a time.
	dryRunsAtOnce = 8
)

// What an import does with an entry.
const (
	actionCreate    = "create"
	actionOverwrite = "overwrite"
	actionKeep      = "keep"
	actionRefused   = "refused"
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
		Example: "  kubectl latchkey import .env\n  sops -d secrets.yaml | kubectl latchkey import - --format yaml --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkDryRun(o.dryRun); err != nil {
				return err
			}
			return o.run(cmd.Context(), f, args[0])
		},
	}
	cmd.Flags().StringVar(&o.format, "format", "", "env, json or yaml; without it, the end of the file's name says so")
	cmd.Flags().BoolVar(&o.overwrite, "overwrite", false, "replace the values of secrets that exist")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	addDryRun(cmd.Flags(), &o.dryRun)
	return cmd
}

// planned is one entry and what is to be done with it.
type planned struct {
	entry   imports.Entry
	present *cluster.Item
	action  string
	why     string
	sealed  string
}

func (o *importer) run(ctx context.Context, f *cli.Factory, path string) error {
	entries, err := o.read(f, path)
	if err != nil {
		return err
	}
	c, namespace, err := cluster.Open(f)
	if err != nil {
		return err
	}
	plan, err := o.plan(ctx, c, namespace, entries)
	if err != nil {
		return err
	}
	if err := printPlan(f, plan); err != nil {
		return err
	}
	count := func(actions ...string) (n int) {
		for _, p := range plan {
			if slices.Contains(actions, p.action) {
				n++
			}
		}
		return n
	}
	switch writes := count(actionCreate, actionOverwrite); {
	case count(actionRefused) > 0:
		return cli.Refused("%s refused, so nothing was written", counted(count(actionRefused), "key"))
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
		base := filepath.Base(path)
		switch ext := filepath.Ext(base); {
		case base == ".env" || strings.HasPrefix(base, ".env.") || ext == ".env":
			format = imports.Env
		case ext == ".json":
			format = imports.JSON
		case ext == ".yaml" || ext == ".yml":
			format = imports.YAML
		default:
			return nil, cli.Usage("the name of the file does not say its format: add --format env, json or yaml")
		}
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
	text, err := io.ReadAll(io.LimitReader(in, maxImport))
	if err != nil {
		return nil, err
	}
	// The number is judged with the installation's own limit, below.
	entries, err := imports.Parse(format, string(text), maxImport)
	if err != nil {
		return nil, cli.Refused("%w", err)
	}
	return entries, nil
}

// plan decides what to do with each entry. What the client can judge it judges; all else
// the server is asked for, by dry runs.
func (o *importer) plan(ctx context.Context, c *cluster.Cluster, namespace string, entries []imports.Entry) ([]*planned, error) {
	items, err := c.Users(ctx, namespace, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	published, err := c.Published(ctx)
	if err != nil {
		return nil, err
	}
	var plan []*planned
	room := published.Limits.User.Secrets - len(items)
	for _, e := range entries {
		p := &planned{entry: e, action: actionCreate}
		plan = append(plan, p)
		if p.present, err = cluster.Pick(items, e.Key); err != nil {
			p.action, p.why = actionRefused, "several secrets may be meant"
			continue
		}
		problem := rules.Name(e.Key)
		if problem == "" {
			problem = rules.Value(e.Value.Reveal(), true)
		}
		switch {
		case problem != "":
			p.action, p.why = actionRefused, problem
			continue
		case p.present != nil && !o.overwrite:
			p.action, p.why = actionKeep, "exists; --overwrite replaces it"
			continue
		case p.present != nil:
			p.action = actionOverwrite
		case room == 0:
			p.action, p.why = actionRefused, fmt.Sprintf("the namespace may have %d secrets: delete some", published.Limits.User.Secrets)
			continue
		default:
			room--
		}
		sealed, err := seal.Seal(published.Key, binding.User(namespace, p.object()), e.Value)
		if err != nil {
			return nil, err
		}
		p.sealed = sealed.String()
	}
	return plan, dryRuns(ctx, c, namespace, plan)
}

// object returns the metadata.name of the entry's secret.
func (p *planned) object() string {
	if p.present != nil {
		return p.present.Meta().Name
	}
	return naming.Object(p.entry.Key)
}

func dryRuns(ctx context.Context, c *cluster.Cluster, namespace string, plan []*planned) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(dryRunsAtOnce)
	for _, p := range plan {
		if p.sealed == "" {
			continue
		}
		group.Go(func() error {
			err := p.write(ctx, c, namespace, true)
			var refused *cli.Error
			if errors.As(err, &refused) && refused.Code == cli.CodeRefused && !cluster.IsForbidden(err) {
				p.action, p.why = actionRefused, strings.TrimPrefix(err.Error(), "refused: ")
				return nil
			}
			return err
		})
	}
	return group.Wait()
}

func (p *planned) write(ctx context.Context, c *cluster.Cluster, namespace string, dryRun bool) error {
	if p.present != nil {
		_, err := c.Patch(ctx, *p.present, map[string]any{"sealedValue": p.sealed, "valueFrom": nil}, dryRun)
		return err
	}
	_, err := c.CreateUser(ctx, &v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: p.object()},
		Spec:       v1alpha1.UserSecretSpec{Name: p.entry.Key, EnvName: p.entry.EnvName(), SealedValue: p.sealed},
	}, dryRun)
	return err
}

func printPlan(f *cli.Factory, plan []*planned) error {
	var rows [][]any
	for _, p := range plan {
		rows = append(rows, []any{p.entry.Key, p.entry.EnvName(), p.action, strings.ReplaceAll(p.why, "\n", " ")})
	}
	return (&cli.Output{}).Table(f.Out, []cli.Column{{Name: "Key"}, {Name: "Env"}, {Name: "Action"}, {Name: "Why"}}, rows)
}

// write writes what was planned, in the order of the file, and stops at the first failure.
func write(ctx context.Context, f *cli.Factory, c *cluster.Cluster, namespace string, plan []*planned) error {
	var done []string
	for i, p := range plan {
		if p.sealed == "" {
			continue
		}
		if err := p.write(ctx, c, namespace, false); err != nil {
			var left []string
			for _, later := range plan[i+1:] {
				if later.sealed != "" {
					left = append(left, later.entry.Key)
				}
			}
			f.Notice("done: %s\nfailed: %s\nnot tried: %s\nRun it again to go on: what is done stays as it is.",
				orNone(done), p.entry.Key, orNone(left))
			if len(done) == 0 {
				return err
			}
			return &cli.Error{Code: cli.CodeNo, Err: err}
		}
		done = append(done, p.entry.Key)
	}
	f.Notice("%s written.", counted(len(done), "secret"))
	return nil
}

func orNone(keys []string) string {
	if len(keys) == 0 {
		return "none"
	}
	return strings.Join(keys, ", ")
}
