// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"context"
	"errors"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/manifest"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/sealer"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Resealer seals texts of older keys again. Cluster is one.
type Resealer interface {
	Again(ctx context.Context, namespace string, o *manifest.Object) (string, error)
}

// Reseal brings the sealed values in files to the newest key.
type Reseal struct {
	// Paths are files and folders.
	Paths []string
	// Check only tells which values are of an older key.
	Check bool
	// Namespace is that of objects which name none.
	Namespace string
	// Keys are those of the cluster.
	Keys sealer.Keys
	// Cluster seals again.
	Cluster Resealer
	// Out takes a line for each object that is not of the newest key, and a sum.
	Out io.Writer
}

// Run does it. It returns an error with code 4 where something was skipped, or, with Check, is
// of an older key.
func (r *Reseal) Run(ctx context.Context) error {
	files, err := find(r.Paths)
	if err != nil {
		return err
	}
	var sum struct{ current, old, skipped int }
	for _, path := range files {
		text, err := read(path, nil)
		if err != nil {
			return err
		}
		objects, skipped := manifest.Read(text)
		for _, s := range skipped {
			sum.skipped++
			say(r.Out, "%s:%d skipped: %s\n", path, s.Line, s.Reason)
		}
		var edits []manifest.Edit
		for _, o := range objects {
			if o.SealedValue == "" {
				continue
			}
			edit, changed, err := r.object(ctx, o)
			var stop *stopError
			switch {
			case errors.As(err, &stop):
				return stop.err
			case err != nil:
				sum.skipped++
				say(r.Out, "%s skipped: %s\n", place(path, o), err)
			case !changed:
				sum.current++
			case r.Check:
				sum.old++
				say(r.Out, "%s is sealed with an older key\n", place(path, o))
			default:
				sum.old++
				edits = append(edits, edit)
				say(r.Out, "%s resealed\n", place(path, o))
			}
		}
		if len(edits) > 0 {
			if err := write(path, manifest.Apply(text, edits)); err != nil {
				return err
			}
		}
	}
	verb := "resealed"
	if r.Check {
		verb = "of an older key"
	}
	say(r.Out, "%d %s, %d of the newest key already, %d skipped\n", sum.old, verb, sum.current, sum.skipped)
	if sum.skipped > 0 || r.Check && sum.old > 0 {
		return cli.Exit(cli.CodeNo)
	}
	return nil
}

// place is where an object is, and which it is.
func place(path string, o *manifest.Object) string {
	return fmt.Sprintf("%s:%d %s %s", path, o.Line, o.Kind, o.Name)
}

// stopError ends the run: what comes next would fail in the same way.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }

// object returns the change of one object, and whether there is one.
func (r *Reseal) object(ctx context.Context, o *manifest.Object) (edit manifest.Edit, changed bool, err error) {
	sealed, err := seal.Parse(o.SealedValue)
	if err != nil {
		return edit, false, fmt.Errorf("spec.sealedValue: %w", err)
	}
	if sealed.KeyID() == r.Keys.Newest.ID() {
		return edit, false, nil
	}
	if r.Check {
		return edit, true, nil
	}
	namespace := o.Namespace
	if namespace == "" {
		namespace = r.Namespace
	}
	// Before the cluster is asked: a place that cannot be changed needs no answer.
	if _, err := o.Reseal(o.SealedValue); err != nil {
		return edit, false, err
	}
	text, err := r.Cluster.Again(ctx, namespace, o)
	var answer apierrors.APIStatus
	switch {
	case err == nil:
	case errors.Is(err, errForUID), errors.As(err, &answer) && !apierrors.IsUnauthorized(err):
		return edit, false, errors.New(cluster.Reason(cluster.Explain(err)))
	default:
		return edit, false, &stopError{err}
	}
	again, err := seal.Parse(text)
	if err != nil {
		return edit, false, fmt.Errorf("the cluster's answer: %w", err)
	}
	if again.KeyID() == sealed.KeyID() {
		return edit, false, errors.New("the cluster has it with this key still: try again when it has sealed its objects again")
	}
	edit, err = o.Reseal(text)
	return edit, true, err
}
