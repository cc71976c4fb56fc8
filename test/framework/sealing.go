// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"context"
	"encoding/base64"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Seal seals a value for an object, as a client does that has nothing but the published key.
func (c *Cluster) Seal(ctx context.Context, at seal.Context, value string) (string, error) {
	published := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: SystemNamespace, Name: keyring.PublicKeysName}
	if err := c.Client.Get(ctx, key, published); err != nil {
		return "", fmt.Errorf("published keys: %w", err)
	}
	raw, err := base64.StdEncoding.DecodeString(published.Data[keyring.PublicKeyBase64])
	if err != nil {
		return "", fmt.Errorf("published key: %w", err)
	}
	public, err := seal.ParsePublicKey(raw)
	if err != nil {
		return "", err
	}
	sealed, err := seal.Seal(public, at, seal.ValueOf(value))
	if err != nil {
		return "", err
	}
	return sealed.String(), nil
}
