// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/digest"
)

// contentHash digests the content of a tenant's bundles, as the cache has them. It
// is keyed and of this namespace, like the digests that it is made from, so equal
// content next door has another one. A tenant without bundles has a digest too: getting the first secret is a change.
func (r *Reconciler) contentHash(ctx context.Context, namespace string) (string, error) {
	secrets := &corev1.SecretList{}
	err := r.Bundles.List(ctx, secrets, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)
	if err != nil {
		return "", fmt.Errorf("list bundles: %w", err)
	}
	var lines []string
	for i := range secrets.Items {
		if s := &secrets.Items[i]; isBundle(s) {
			lines = append(lines, s.Name+" "+s.Annotations[v1alpha1.AnnotationMAC])
		}
	}
	slices.Sort(lines)
	return r.DigestKey.Sum(digest.PurposeWorkload, namespace, lines...), nil
}

// isBundle tells a bundle from another Secret of its type.
func isBundle(s *corev1.Secret) bool {
	return s.Type == v1alpha1.SecretTypeBundle && bundle.IsBundle(s.Name)
}
