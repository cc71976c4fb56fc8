// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// open opens the values and lays them out, unless the memo says that nothing which
// they depend on changed.
func (r *Reconciler) open(ctx context.Context, s *scope) error {
	inputs := map[string]string{}
	for _, name := range []string{r.Adapter.EnvBundle, r.Adapter.FilesBundle} {
		inputs[name] = bundle.Inputs(s.decisions, name, s.sources)
	}
	if m := r.memos.get(s.namespace); m != nil && maps.Equal(m.inputs, inputs) && r.inStep(s, m) {
		if s.memo = m; !r.allUpToDate(s, m) {
			s.setback = m.setback
		}
		return nil
	}
	opened := make(map[types.UID]bundle.Opened, len(s.decisions))
	for _, d := range s.decisions {
		if !d.Open {
			continue
		}
		openedValues.WithLabelValues(r.Adapter.Name).Inc()
		op, err := r.value(ctx, s.namespace, d.Item)
		if err == nil && op.Failure != nil && r.keeps(op.Failure.Reason) {
			op, err = r.keep(ctx, s, d, op)
		}
		if err != nil {
			return err
		}
		opened[d.Item.UID] = op
	}
	filled, err := r.Adapter.Fill(s.decisions, opened)
	if err != nil {
		return err
	}
	s.contents = map[string]bundle.Contents{r.Adapter.EnvBundle: filled.Env, r.Adapter.FilesBundle: filled.Files}
	s.memo = &memo{inputs: inputs, macs: map[string]string{}, records: map[string]*bundle.Record{}, outcomes: map[types.UID]bundle.Outcome{}}
	for name, c := range s.contents {
		if len(c.Data) > 0 {
			entries := bundle.DigestsOf(r.DigestKey, s.namespace, name, reveal(c))
			s.memo.macs[name] = bundle.MAC(r.DigestKey, s.namespace, name, entries, r.layout(s.namespace, name, c))
			s.memo.records[name] = r.record(s, name, entries)
		}
	}
	for i, o := range filled.Outcomes {
		if d := s.decisions[i]; o != d.Outcome {
			s.memo.outcomes[d.Item.UID] = o
		}
	}
	return nil
}

// inStep reports whether the bundles hold what the memo says that they should, or it is
// too early to try again to write those that do not.
func (r *Reconciler) inStep(s *scope, m *memo) bool {
	for _, name := range []string{r.Adapter.EnvBundle, r.Adapter.FilesBundle} {
		if !upToDate(s.existing[name], m.macs[name], m.records[name], r.Adapter.Name) && !m.setback.rests(name, s.existing[name], r.now()) {
			return false
		}
	}
	return true
}

func (r *Reconciler) allUpToDate(s *scope, m *memo) bool {
	for _, name := range []string{r.Adapter.EnvBundle, r.Adapter.FilesBundle} {
		if !upToDate(s.existing[name], m.macs[name], m.records[name], r.Adapter.Name) {
			return false
		}
	}
	return true
}

// value returns the value of one object, or its outcome where there is none. The
// error is for what may go away by trying again.
func (r *Reconciler) value(ctx context.Context, namespace string, it bundle.Item) (bundle.Opened, error) {
	if it.Source != nil {
		return r.sourceValue(ctx, namespace, it)
	}
	var v seal.Value
	at, err := it.Context(namespace)
	if err == nil {
		v, err = r.Opener.Open(ctx, at, it.Sealed)
	}
	switch {
	case err == nil:
		return bundle.Opened{Value: v}, nil
	case errors.Is(err, keyring.ErrUnknownKey):
		id := ""
		if sealed, perr := seal.Parse(it.Sealed); perr == nil {
			id = sealed.KeyID()
		}
		return failure(bundle.KeyNotFound(id)), nil
	case keyring.IsFinal(err):
		return failure(bundle.Unsealable()), nil
	default:
		return bundle.Opened{}, fmt.Errorf("open %s %s: %w", r.Adapter.Kind, it.Name, err)
	}
}

func (r *Reconciler) sourceValue(ctx context.Context, namespace string, it bundle.Item) (bundle.Opened, error) {
	source := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: it.Source.Name}, source)
	if apierrors.IsNotFound(err) {
		return failure(bundle.SourceNotFound(*it.Source, false)), nil
	}
	if err != nil {
		return bundle.Opened{}, fmt.Errorf("get source Secret %s: %w", it.Source.Name, err)
	}
	b, ok := source.Data[it.Source.Key]
	if !ok || bundle.IsBundle(it.Source.Name) {
		return failure(bundle.SourceNotFound(*it.Source, true)), nil
	}
	return bundle.Opened{Value: seal.NewValue(b)}, nil
}

func failure(o bundle.Outcome) bundle.Opened { return bundle.Opened{Failure: &o} }

// layout returns what AnnotationLayout says of a bundle.
func (r *Reconciler) layout(namespace, name string, c bundle.Contents) string {
	return bundle.Layout(r.DigestKey, namespace, name, c.Paths)
}

// reveal takes the values out of their redacting type, for writing them.
func reveal(c bundle.Contents) map[string][]byte {
	out := make(map[string][]byte, len(c.Data))
	for k, v := range c.Data {
		out[k] = v.Reveal()
	}
	return out
}
