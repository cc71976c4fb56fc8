// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Seal seals a value for an object, like a client that has only the published key.
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
	return sealWith(public, at, value)
}

// OlderKey stores a sealing key that got a successor long ago, and returns a function that
// seals with it, as for an old manifest.
func (c *Cluster) OlderKey(ctx context.Context) (func(at seal.Context, value string) (string, error), error) {
	older, err := keyring.NewKey(time.Now().AddDate(-1, 0, 0))
	if err != nil {
		return nil, err
	}
	if err := c.Client.Create(ctx, keyring.EncodeSecret(older, SystemNamespace)); err != nil {
		return nil, fmt.Errorf("store an older key: %w", err)
	}
	return func(at seal.Context, value string) (string, error) { return sealWith(older.Info().Public, at, value) }, nil
}

func sealWith(public *seal.PublicKey, at seal.Context, value string) (string, error) {
	sealed, err := seal.Seal(public, at, seal.ValueOf(value))
	if err != nil {
		return "", err
	}
	return sealed.String(), nil
}
