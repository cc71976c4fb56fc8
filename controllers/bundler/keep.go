// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// keeps reports whether the bundles retain a value that is unavailable for a reason.
func (r *Reconciler) keeps(reason string) bool {
	return reason == v1alpha1.ReasonKeyNotFound || reason == v1alpha1.ReasonSourceNotFound && !r.DropMissingSources
}

// keptValue returns the value that the bundles still have of an object whose sealing
// key or source is missing. A missing key or source is an accident, and the bundles may
// have the only copy of the value; removing it would cause a second accident.
//
// An entry belongs to the object if its record says that it was made from the object's
// current state. Otherwise the object's status says where its value was projected, and
// the value is still wanted if it came from the source that the spec names now. Any
// other entry with the same key may belong to another object that had the name before.
// The cached status can be older than the bundle, so for an object that was projected,
// the entries that it should have now count as well. Of several entries, an unchanged
// one is preferred.
func (r *Reconciler) keptValue(ctx context.Context, s *scope, d *bundle.Decision) (seal.Value, bool, error) {
	st := s.members[d.Item.UID].Status
	landed := st.ObservedUID == string(d.Item.UID) && (st.Env != nil || st.File != nil) && equality.Semantic.DeepEqual(st.Source, d.Item.Source)
	if _, _, recorded := r.entryOf(s, d); !landed && !recorded {
		return seal.Value{}, false, nil
	}
	places := []*v1alpha1.Landing{d.Outcome.Env, d.Outcome.File}
	if landed {
		places = append([]*v1alpha1.Landing{st.Env, st.File}, places...)
	}
	var changed []byte
	for _, at := range places {
		if at == nil || !r.Adapter.owns(at.SecretName) {
			continue
		}
		secret, err := r.readLive(ctx, s, at.SecretName)
		if err != nil {
			return seal.Value{}, false, err
		}
		if secret == nil {
			continue
		}
		b, has := secret.Data[at.Key]
		if !has {
			continue
		}
		if r.verified(s, secret, at.Key) {
			return seal.NewValue(b), true, nil
		}
		if changed == nil {
			changed = append([]byte{}, b...)
		}
	}
	return seal.NewValue(changed), changed != nil, nil
}

// readLive is bundleNow, and asks the API server once for each bundle.
func (r *Reconciler) readLive(ctx context.Context, s *scope, name string) (*corev1.Secret, error) {
	if secret, read := s.live[name]; read {
		return secret, nil
	}
	secret, err := r.bundleNow(ctx, s.namespace, name)
	if err == nil {
		s.live[name] = secret
	}
	return secret, err
}

// bundleNow reads a bundle from the API server, because the cache has no data. It returns
// nil if the bundle does not exist.
func (r *Reconciler) bundleNow(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err) || err == nil && secret.Type != v1alpha1.SecretTypeBundle:
		return nil, nil //nolint:nilnil // no bundle is no error
	case err != nil:
		return nil, fmt.Errorf("get bundle %s: %w", name, err)
	}
	return secret, nil
}

// verified reports whether an entry of a bundle is unchanged since Latchkey wrote it.
func (r *Reconciler) verified(s *scope, live *corev1.Secret, key string) bool {
	made, ok := s.records[live.Name].Get(key)
	b, has := live.Data[key]
	return ok && has && made.Digest == bundle.EntryDigest(r.DigestKey, s.namespace, live.Name, key, b)
}
