// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// value returns the value of one object, or an outcome if it has no value. The error is
// for failures that may pass.
func (r *Reconciler) value(ctx context.Context, namespace string, it bundle.Item) (seal.Value, *bundle.Outcome, error) {
	if it.Source != nil {
		return r.sourceValue(ctx, namespace, it)
	}
	var v seal.Value
	at, err := it.Context(namespace)
	if err == nil {
		v, err = r.Opener.Open(ctx, at, it.Sealed)
	}
	var outcome bundle.Outcome
	switch {
	case err == nil:
		openedValues.WithLabelValues(r.Adapter.Name).Inc()
		return v, nil, nil
	case errors.Is(err, keyring.ErrUnknownKey):
		outcome = bundle.KeyNotFound(seal.KeyIDOf(it.Sealed))
	case keyring.IsFinal(err):
		openedValues.WithLabelValues(r.Adapter.Name).Inc()
		outcome = bundle.Unsealable()
	default:
		return seal.Value{}, nil, fmt.Errorf("open %s %s: %w", r.Adapter.Kind, it.Name, err)
	}
	return seal.Value{}, &outcome, nil
}

func (r *Reconciler) sourceValue(ctx context.Context, namespace string, it bundle.Item) (seal.Value, *bundle.Outcome, error) {
	source := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: it.Source.Name}, source)
	if client.IgnoreNotFound(err) != nil {
		return seal.Value{}, nil, fmt.Errorf("get source Secret %s: %w", it.Source.Name, err)
	}
	if apierrors.IsNotFound(err) {
		outcome := bundle.SourceNotFound(*it.Source, false)
		return seal.Value{}, &outcome, nil
	}
	openedValues.WithLabelValues(r.Adapter.Name).Inc()
	b, ok := source.Data[it.Source.Key]
	if !ok || bundle.IsBundle(it.Source.Name) {
		outcome := bundle.SourceNotFound(*it.Source, true)
		return seal.Value{}, &outcome, nil
	}
	return seal.NewValue(b), nil, nil
}
