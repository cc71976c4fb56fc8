// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// value returns the value of one object, or an outcome if it has no value. The error is
// for failures that may pass.
func (r *Reconciler) value(ctx context.Context, s *scope, it bundle.Item) (seal.Value, *bundle.Outcome, error) {
	if it.Source != nil {
		return r.sourceValue(ctx, s.namespace, it)
	}
	text, err := r.textOf(ctx, s, it)
	if err != nil {
		return seal.Value{}, nil, err
	}
	var v seal.Value
	at, err := it.Context(s.namespace)
	if err == nil {
		v, err = r.Opener.Open(ctx, at, text)
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

// textOf returns the sealed value of an object. If the cache has only its brief, textOf reads
// it from the API server: the first of a tenant alone, and with the second one all of them.
// It returns errStale if the object differs from what the cache has.
func (r *Reconciler) textOf(ctx context.Context, s *scope, it bundle.Item) (string, error) {
	if !seal.IsBrief(it.Sealed) {
		return it.Sealed, nil
	}
	if _, read := s.texts[it.UID]; !read {
		var which []client.ListOption
		if s.texts == nil {
			s.texts = map[types.UID]string{}
			which = append(which, client.MatchingFields{metav1.ObjectNameField: it.Name})
		}
		members, err := r.Adapter.List(ctx, r.Live, s.namespace, which...)
		if err != nil {
			return "", fmt.Errorf("list %ss: %w", r.Adapter.Kind, err)
		}
		for _, m := range members {
			s.texts[m.Item.UID] = m.Item.Sealed
		}
	}
	text := s.texts[it.UID]
	if seal.Brief(text) != it.Sealed {
		return "", errStale
	}
	return text, nil
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
