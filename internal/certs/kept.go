// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"fmt"
	"maps"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/watch"
)

// Kept is the certificate's Secret as last seen, so that it can be restored when it is
// deleted. The rotation library does not restore a deleted Secret.
type Kept struct {
	mu   sync.Mutex
	data map[string][]byte
}

// Watch updates k with the Secret, as seen through c.
func (k *Kept) Watch(ctx context.Context, c cache.Cache) error {
	return watch.Objects(ctx, c, &corev1.Secret{}, func(s *corev1.Secret) {
		if s.Name == SecretName {
			k.set(s.Data)
		}
	}, nil)
}

func (k *Kept) set(data map[string][]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.data = maps.Clone(data)
}

// PutBack creates the Secret again with its last content, so that servers continue with
// the certificate that the API server trusts. A Secret that this process has never seen
// is created empty, and the rotator fills it.
func (k *Kept) PutBack(ctx context.Context, c client.Client, namespace string) error {
	k.mu.Lock()
	data := maps.Clone(k.data)
	k.mu.Unlock()
	return createSecret(ctx, c, namespace, data)
}

// createSecret creates the Secret unless it exists.
func createSecret(ctx context.Context, c client.Client, namespace string, data map[string][]byte) error {
	err := c.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace,
			Name:      SecretName,
			Labels:    map[string]string{"app.kubernetes.io/managed-by": "latchkey"},
		},
		Data: data,
	})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create Secret %s: %w", SecretName, err)
	}
	return nil
}
