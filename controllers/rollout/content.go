// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

// contentHash digests the content of a tenant's bundles, as the cache has them. It
// is made from the keyed digests that they carry and so gives nothing away. A
// tenant without bundles has a digest too: getting the first secret is a change.
func (r *Reconciler) contentHash(ctx context.Context, namespace string) (string, error) {
	secrets := &corev1.SecretList{}
	err := r.Bundles.List(ctx, secrets, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelBundle}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return "", fmt.Errorf("list bundles: %w", err)
	}
	var lines []string
	for i := range secrets.Items {
		if s := &secrets.Items[i]; isBundle(s) {
			lines = append(lines, s.Name+" "+s.Annotations[v1alpha1.AnnotationMAC]+"\n")
		}
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, l := range lines {
		h.Write([]byte(l))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)), nil
}

// isBundle tells a bundle from a Secret on which somebody put its label.
func isBundle(s *corev1.Secret) bool {
	return s.Type == v1alpha1.SecretTypeBundle && bundle.IsBundle(s.Name)
}
