// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"context"
	"crypto/rand"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// LabelBundleMAC marks the Secret with the key of the bundle digests; its
	// value is "true".
	LabelBundleMAC = "latchkey.dev/bundle-mac"

	// TypeBundleMAC is the type of that Secret.
	TypeBundleMAC corev1.SecretType = "latchkey.dev/bundle-mac"

	macSecretName = "latchkey-bundle-mac"
	macDataKey    = "key"
	macKeyLen     = 32
)

// EnsureMACKey returns the key for the digests of bundles, and makes it if there
// is none.
//
// A digest of a bundle is kept where a tenant may read it, and a plain hash of a
// short secret could be guessed by trying. Keyed, it says only whether two
// contents are the same. The key outlives restarts because otherwise each one
// would make every digest differ and write every bundle again.
func (s *Store) EnsureMACKey(ctx context.Context) ([]byte, error) {
	key, err := s.readMACKey(ctx)
	if !apierrors.IsNotFound(err) {
		return key, err
	}
	key = make([]byte, macKeyLen)
	_, _ = rand.Read(key) // Never fails: it ends the process instead.
	immutable := true
	err = s.Writer.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:      macSecretName,
			Namespace: s.Namespace,
			Labels:    map[string]string{LabelBundleMAC: labelTrue},
		},
		Type:      TypeBundleMAC,
		Immutable: &immutable,
		Data:      map[string][]byte{macDataKey: key},
	})
	if apierrors.IsAlreadyExists(err) {
		// Somebody else was faster; theirs is the one.
		return s.readMACKey(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("store the key of the bundle digests: %w", err)
	}
	return key, nil
}

func (s *Store) readMACKey(ctx context.Context) ([]byte, error) {
	var secret corev1.Secret
	err := s.Reader.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: macSecretName}, &secret)
	if err != nil {
		return nil, fmt.Errorf("read the key of the bundle digests: %w", err)
	}
	if secret.Labels[LabelBundleMAC] != labelTrue || secret.Type != TypeBundleMAC {
		return nil, fmt.Errorf("secret %s: %w", macSecretName, ErrForeign)
	}
	key := secret.Data[macDataKey]
	if len(key) != macKeyLen {
		return nil, fmt.Errorf("secret %s does not hold a key of %d bytes; delete it, a new one is made", macSecretName, macKeyLen)
	}
	return key, nil
}
