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

// contentHash digests the content of a tenant's bundles, as cached. The digest is keyed
// and includes the namespace, so equal content in two namespaces has different digests.
// A tenant without bundles has a digest, too: its first secret is a change.
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

// isBundle distinguishes a bundle from other Secrets of its type.
func isBundle(s *corev1.Secret) bool {
	return s.Type == v1alpha1.SecretTypeBundle && bundle.IsBundle(s.Name)
}
