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

// keep returns op, the outcome of an object whose sealing key or source is not there,
// with the value that the bundles still hold of it. Either is an accident, and the
// bundles may be the last place where the value is; taking it out would make one
// accident into two.
//
// An object's value is where its own status says that it landed, and is what the object
// asks for if it came from where its spec says now. What has its names otherwise may be
// another object's, which had them before. A status in the cache may be older than the
// bundle, so for an object that has landed at all, the entries that it is to have now
// count as well.
func (r *Reconciler) keep(ctx context.Context, s *scope, d bundle.Decision, op bundle.Opened) (bundle.Opened, error) {
	st := s.members[d.Item.UID].Status
	if st.ObservedUID != string(d.Item.UID) || st.Env == nil && st.File == nil || !equality.Semantic.DeepEqual(st.Source, d.Item.Source) {
		return op, nil
	}
	if err := r.readLive(ctx, s); err != nil {
		return bundle.Opened{}, err
	}
	for _, landings := range [][]*v1alpha1.Landing{{st.Env, st.File}, {d.Outcome.Env, d.Outcome.File}} {
		for _, secret := range s.live {
			for _, at := range landings {
				if at == nil || at.SecretName != secret.Name {
					continue
				}
				if b, ok := secret.Data[at.Key]; ok {
					op.Value, op.Kept = seal.NewValue(b), true
					return op, nil
				}
			}
		}
	}
	return op, nil
}

// readLive reads the tenant's bundles, once, from the API server: the cache has no
// data. An entry of a bundle in which somebody has changed something counts only if
// the other bundle does not have it.
func (r *Reconciler) readLive(ctx context.Context, s *scope) error {
	if s.live != nil {
		return nil
	}
	s.live = []*corev1.Secret{}
	var changed []*corev1.Secret
	for _, name := range []string{r.Adapter.EnvBundle, r.Adapter.FilesBundle} {
		secret := &corev1.Secret{}
		err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, secret)
		switch {
		case apierrors.IsNotFound(err) || err == nil && secret.Type != v1alpha1.SecretTypeBundle:
		case err != nil:
			return fmt.Errorf("get bundle %s: %w", name, err)
		case secret.Annotations[v1alpha1.AnnotationMAC] == macOf(r.DigestKey, secret):
			s.live = append(s.live, secret)
		default:
			changed = append(changed, secret)
		}
	}
	s.live = append(s.live, changed...)
	return nil
}
