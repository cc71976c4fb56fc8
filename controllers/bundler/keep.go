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

// keeps reports whether a value stays in the bundles that cannot be had for a reason.
func (r *Reconciler) keeps(reason string) bool {
	return reason == v1alpha1.ReasonKeyNotFound || reason == v1alpha1.ReasonSourceNotFound && !r.DropMissingSources
}

// keptValue returns the value that the bundles still hold of an object whose sealing key
// or source is not there. Either is an accident, and the bundles may be the last place
// where the value is; taking it out would make one accident into two.
//
// An entry is the object's if its record says that it was made for the object as it is.
// Else the object's own status says where its value landed, and it is what the object
// asks for if it came from where its spec says now. What has its names otherwise may be
// another object's, which had them before. A status in the cache may be older than the
// bundle, so for an object that has landed at all, the entries that it is to have now
// count as well. Of several entries, one that is as Latchkey wrote it is believed first.
func (r *Reconciler) keptValue(ctx context.Context, s *scope, d bundle.Decision) (seal.Value, bool, error) {
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

// readLive reads a bundle, once, from the API server: the cache has no data. It is nil
// where there is none.
func (r *Reconciler) readLive(ctx context.Context, s *scope, name string) (*corev1.Secret, error) {
	if secret, read := s.live[name]; read {
		return secret, nil
	}
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err) || err == nil && secret.Type != v1alpha1.SecretTypeBundle:
		secret = nil
	case err != nil:
		return nil, fmt.Errorf("get bundle %s: %w", name, err)
	}
	s.live[name] = secret
	return secret, nil
}

// verified reports whether an entry of a bundle that was read is as Latchkey wrote it.
func (r *Reconciler) verified(s *scope, live *corev1.Secret, key string) bool {
	made, ok := s.records[live.Name].Get(key)
	b, has := live.Data[key]
	return ok && has && made.Digest == bundle.EntryDigest(r.DigestKey, s.namespace, live.Name, key, b)
}
