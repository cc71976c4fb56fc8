// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"context"
	"errors"
	"io"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/manifest"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/sealer"
)

// Validator says whether a cluster would take an object. Cluster is one.
type Validator interface {
	Validate(ctx context.Context, namespace string, o *manifest.Object, sealed string) error
}

// Validate checks the objects in files.
type Validate struct {
	// Paths are files, folders or Stdin.
	Paths []string
	// Namespace is that of objects which name none.
	Namespace string
	// Keys are the keys that there are; none where that is not known.
	Keys sealer.Keys
	// Cluster is asked too; nil for none.
	Cluster Validator
	// In is standard input.
	In io.Reader
	// Out takes a line for each problem, and a sum.
	Out io.Writer
	// Said is called with how many objects were looked at; nil for nobody who looks on.
	Said func(text string)
}

// Run does it. It returns an error with code 4 where there is a problem.
func (v *Validate) Run(ctx context.Context) error {
	files := v.Paths
	if !slices.Contains(files, Stdin) {
		var err error
		if files, err = find(v.Paths); err != nil {
			return err
		}
	}
	objects, problems := 0, 0
	for _, path := range files {
		text, err := read(path, v.In)
		if err != nil {
			return err
		}
		found, skipped := manifest.Read(text)
		for _, s := range skipped {
			problems++
			say(v.Out, "%s:%d cannot be read: %s\n", path, s.Line, s.Reason)
		}
		for _, o := range found {
			objects++
			if v.Said != nil {
				v.Said(cli.Counted(objects, "object"))
			}
			wrong, err := v.object(ctx, o)
			if err != nil {
				return err
			}
			for _, problem := range wrong {
				problems++
				say(v.Out, "%s: %s\n", place(path, o), problem)
			}
		}
	}
	say(v.Out, "%s, %s\n", cli.Counted(objects, "object"), cli.Counted(problems, "problem"))
	if problems > 0 {
		return cli.Exit(cli.CodeNo)
	}
	return nil
}

// object returns what is wrong with one object.
func (v *Validate) object(ctx context.Context, o *manifest.Object) (problems []string, err error) {
	namespace := o.Namespace
	if namespace == "" {
		namespace = v.Namespace
	}
	found := sealer.Look(o, namespace)
	for _, p := range found.Problems {
		problems = append(problems, p.Error())
	}
	if found.KeyID != "" && v.Keys.Newest != nil && !slices.Contains(v.Keys.IDs, found.KeyID) {
		problems = append(problems, "spec.sealedValue: its key "+found.KeyID+" is not among the published ones: seal the value again")
	}
	if v.Cluster == nil || len(problems) > 0 {
		return problems, nil
	}
	sealed := ""
	if found.Value != nil {
		if sealed, err = found.Target.Seal(v.Keys.Newest, *found.Value); err != nil {
			return nil, err
		}
	}
	err = v.Cluster.Validate(ctx, namespace, o, sealed)
	var answer apierrors.APIStatus
	switch {
	case err == nil:
	case errors.As(err, &answer) && !apierrors.IsUnauthorized(err):
		problems = append(problems, cluster.Reason(cluster.Explain(err)))
	default:
		return nil, err
	}
	return problems, nil
}
