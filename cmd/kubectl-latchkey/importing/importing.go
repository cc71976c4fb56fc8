// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package importing plans what becomes of the entries of a secrets file and writes them, for
// the command line and the page.
package importing

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/imports"
	"github.com/latchkey-dev/latchkey/internal/naming"
	"github.com/latchkey-dev/latchkey/internal/policy/rules"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

const (
	// MaxBytes is a little more than a file may have, so that the parser says so.
	MaxBytes = 1<<20 + 1
	// dryRunsAtOnce bounds what an import asks at a time.
	dryRunsAtOnce = 8
)

// What an import does with an entry.
const (
	Create    = "create"
	Overwrite = "overwrite"
	Keep      = "keep"
	Refused   = "refused"
)

// Planned is one entry and what is to be done with it.
type Planned struct {
	// Key and Env are the name of the secret and its variable.
	Key, Env string
	// Action is Create, Overwrite, Keep or Refused; Why says why where that is not plain.
	Action, Why string

	present *cluster.Item
	sealed  string
	answer  *cluster.Item
}

// Plan is what is to be done with the entries of a file, in their order.
type Plan []*Planned

// Count counts the entries with one of these actions.
func (p Plan) Count(actions ...string) (n int) {
	for _, entry := range p {
		for _, a := range actions {
			if entry.Action == a {
				n++
			}
		}
	}
	return n
}

// FormatOf returns the format that the name of a file says; "" for none.
func FormatOf(path string) string {
	base := filepath.Base(path)
	switch ext := filepath.Ext(base); {
	case base == ".env" || strings.HasPrefix(base, ".env.") || ext == ".env":
		return imports.Env
	case ext == ".json":
		return imports.JSON
	case ext == ".yaml" || ext == ".yml":
		return imports.YAML
	}
	return ""
}

// Parse reads the text of a file.
func Parse(format, text string) ([]imports.Entry, error) {
	// The number is judged with the installation's own limit, in Make.
	entries, err := imports.Parse(format, text, MaxBytes)
	if err != nil {
		return nil, cli.Refused("%w", err)
	}
	return entries, nil
}

// Make decides what to do with each entry. What the client can judge it judges; all else
// DryRun asks the server. replace says how overwriting is asked for.
func Make(ctx context.Context, c *cluster.Cluster, namespace string, entries []imports.Entry, overwrite bool, replace string) (Plan, error) {
	items, err := c.Users(ctx, namespace, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	published, err := c.Published(ctx)
	if err != nil {
		return nil, err
	}
	var plan, tooMany Plan
	room := published.Limits.User.Secrets - len(items)
	for _, e := range entries {
		p := &Planned{Key: e.Key, Env: e.EnvName(), Action: Create}
		plan = append(plan, p)
		if p.present, err = cluster.Pick(items, e.Key); err != nil {
			p.Action, p.Why = Refused, "several secrets may be meant"
			continue
		}
		problem := rules.Name(e.Key)
		if problem == "" {
			problem = rules.Value(e.Value.Reveal(), true)
		}
		switch {
		case problem != "":
			p.Action, p.Why = Refused, problem
			continue
		case p.present != nil && !overwrite:
			p.Action, p.Why = Keep, "exists; "+replace+" replaces it"
			continue
		case p.present != nil:
			p.Action = Overwrite
		case room <= 0:
			p.Action = Refused
			tooMany = append(tooMany, p)
			continue
		default:
			room--
			if problem := rules.EnvName(e.Key); p.Env == "" && problem != "" {
				p.Why = "no variable: " + problem
			}
		}
		sealed, err := seal.Seal(published.Keys.Newest, binding.User(namespace, p.object()), e.Value)
		if err != nil {
			return nil, err
		}
		p.sealed = sealed.String()
	}
	// Where there are too many, room is 0, or less after the limit was lowered.
	for _, p := range tooMany {
		p.Why = fmt.Sprintf("the namespace may have %s: delete %d", cli.Counted(published.Limits.User.Secrets, "secret"), len(tooMany)-room)
	}
	return plan, nil
}

// object returns the metadata.name of the entry's secret.
func (p *Planned) object() string {
	if p.present != nil {
		return p.present.Meta().Name
	}
	return naming.Object(p.Key)
}

// writes returns the entries that are to be written.
func (p Plan) writes() Plan {
	return slices.DeleteFunc(slices.Clone(p), func(e *Planned) bool { return e.sealed == "" })
}

// DryRun asks the server what it would refuse. said is called with how many dry runs are
// done of all.
func (p Plan) DryRun(ctx context.Context, c *cluster.Cluster, namespace string, said func(done, all int)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(dryRunsAtOnce)
	writes := p.writes()
	var done atomic.Int32
	for _, p := range writes {
		group.Go(func() error {
			err := p.write(ctx, c, namespace, true)
			said(int(done.Add(1)), len(writes))
			var refused *cli.Error
			if errors.As(err, &refused) && refused.Code == cli.CodeRefused && !cluster.IsForbidden(err) {
				p.Action, p.Why = Refused, cluster.Reason(err)
				return nil
			}
			return err
		})
	}
	return group.Wait()
}

func (p *Planned) write(ctx context.Context, c *cluster.Cluster, namespace string, dryRun bool) error {
	var answer cluster.Item
	var err error
	if p.present != nil {
		answer, err = c.Patch(ctx, *p.present, map[string]any{"sealedValue": p.sealed, "valueFrom": nil}, dryRun)
	} else {
		answer, err = c.CreateUser(ctx, p.new(namespace), dryRun)
	}
	if err == nil {
		p.answer = &answer
	}
	return err
}

// new returns the secret that the entry makes.
func (p *Planned) new(namespace string) *v1alpha1.UserSecret {
	return &v1alpha1.UserSecret{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "UserSecret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: p.object()},
		Spec:       v1alpha1.UserSecretSpec{Name: p.Key, EnvName: p.Env, SealedValue: p.sealed},
	}
}

// Items returns the secrets of the plan's keys as the server last answered, or as they are,
// or would be; none of those that were refused.
func (p Plan) Items(namespace string) []cluster.Item {
	var items []cluster.Item
	for _, e := range p {
		switch {
		case e.Action == Refused:
		case e.answer != nil:
			items = append(items, *e.answer)
		case e.present != nil:
			items = append(items, *e.present)
		default:
			items = append(items, cluster.Item{User: e.new(namespace)})
		}
	}
	return items
}

// Result is what came of writing a plan.
type Result struct {
	// Done were written, in the order of the file.
	Done []string
	// Failed is the one at which it stopped; "" for none.
	Failed string
	// NotTried come after it.
	NotTried []string
}

// Write writes what was planned, in the order of the file, and stops at the first failure.
// said is called with how many are written of all.
func (p Plan) Write(ctx context.Context, c *cluster.Cluster, namespace string, said func(done, all int)) (Result, error) {
	var result Result
	var failure error
	writes := p.writes()
	for _, entry := range writes {
		if failure != nil {
			result.NotTried = append(result.NotTried, entry.Key)
		} else if failure = entry.write(ctx, c, namespace, false); failure != nil {
			result.Failed = entry.Key
		} else {
			result.Done = append(result.Done, entry.Key)
			said(len(result.Done), len(writes))
		}
	}
	return result, failure
}
