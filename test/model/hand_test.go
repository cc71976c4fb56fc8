// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/test/framework"
)

// byHand changes a bundle that is there, as somebody does who may.
func (r *run) byHand(ctx context.Context, t *tenant, change func(*corev1.Secret)) error {
	name, _ := pick(r, bundles)
	if t.foreign[name] {
		return nil
	}
	return client.IgnoreNotFound(modify(ctx, r, framework.Secret(t.namespace, name, nil), change))
}

func (r *run) drift(ctx context.Context, t *tenant) error {
	return r.byHand(ctx, t, func(s *corev1.Secret) {
		if key, ok := pick(r, slices.Sorted(maps.Keys(s.Data))); ok {
			s.Data[key] = []byte("drifted")
		}
	})
}

func (r *run) driftAway(ctx context.Context, t *tenant) error {
	return r.byHand(ctx, t, func(s *corev1.Secret) {
		if key, ok := pick(r, slices.Sorted(maps.Keys(s.Data))); ok {
			delete(s.Data, key)
		}
	})
}

func (r *run) driftIn(ctx context.Context, t *tenant) error {
	return r.byHand(ctx, t, func(s *corev1.Secret) {
		if s.Data == nil {
			s.Data = map[string][]byte{}
		}
		s.Data["added"] = []byte("drifted")
	})
}

func (r *run) strip(ctx context.Context, t *tenant) error {
	return r.byHand(ctx, t, func(s *corev1.Secret) {
		switch r.random.IntN(3) {
		case 0:
			s.Labels = nil
		case 1:
			s.Annotations = nil
		default:
			s.Labels, s.Annotations, s.Data = nil, nil, nil
		}
	})
}

func (r *run) removeBundle(ctx context.Context, t *tenant) error {
	name, _ := pick(r, bundles)
	if t.foreign[name] {
		return nil
	}
	return client.IgnoreNotFound(r.api.Delete(ctx, framework.Secret(t.namespace, name, nil)))
}

// block puts a Secret that is not Latchkey's where a bundle is or would be.
func (r *run) block(ctx context.Context, t *tenant) error {
	name, _ := pick(r, bundles)
	if t.foreign[name] {
		return nil
	}
	t.foreign[name] = true
	for { // the controller is quick to put a bundle back
		err := r.api.Create(ctx, framework.Secret(t.namespace, name, foreignData))
		if !apierrors.IsAlreadyExists(err) {
			return err
		}
		if err := client.IgnoreNotFound(r.api.Delete(ctx, framework.Secret(t.namespace, name, nil))); err != nil {
			return err
		}
	}
}

var foreignData = map[string]string{"theirs": "not Latchkey's"}

func (r *run) unblock(ctx context.Context, t *tenant) error {
	name, ok := pick(r, slices.Sorted(maps.Keys(t.foreign)))
	if !ok {
		return nil
	}
	delete(t.foreign, name)
	return r.api.Delete(ctx, framework.Secret(t.namespace, name, nil))
}
