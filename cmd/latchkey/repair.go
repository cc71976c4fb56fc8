// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/controllers/repair"
	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/keyring"
)

// addRepair adds the controller that puts back what is deleted from Latchkey's own
// namespace. It does not put back sealing keys: an administrator deletes one to make the
// values that are sealed with it unreadable.
func addRepair(ctx context.Context, mgr ctrl.Manager, o *controllerOptions, live client.Client, own cache.Cache, store *keyring.Store, ring *keyring.Ring, digestKey digest.Key) error {
	c := &repair.Controller{Objects: own, Namespace: o.namespace, Items: []repair.Item{
		{Kind: "Secret", Name: keyring.DigestKeyName, PutBack: func(ctx context.Context) error {
			return client.IgnoreAlreadyExists(store.PutBackDigestKey(ctx, digestKey))
		}, Corrects: true}, // servers approve sources with what stands there
		{Kind: "ConfigMap", Name: keyring.PublicKeysName, PutBack: func(ctx context.Context) error {
			err := store.Publish(ctx, ring.Infos())
			if errors.Is(err, keyring.ErrNoKey) || errors.Is(err, keyring.ErrForeign) {
				return nil // it is published with the first key; of another's, the next round says so
			}
			return client.IgnoreAlreadyExists(err)
		}, Corrects: true}, // people seal with what stands there
	}}
	if o.certificate {
		certificate, err := caches.Named(mgr.GetConfig(), mgr.GetScheme(), &corev1.Secret{}, o.namespace, certs.SecretName, nil)
		if err != nil {
			return fmt.Errorf("set up the cache of the certificate: %w", err)
		}
		kept := &certs.Kept{}
		// On every replica: one that does not lead yet must know what was there.
		if err := errors.Join(kept.Watch(ctx, certificate), mgr.Add(runnable(certificate.Start))); err != nil {
			return err
		}
		c.Items = append(c.Items, repair.Item{Kind: "Secret", Name: certs.SecretName, PutBack: func(ctx context.Context) error {
			return kept.PutBack(ctx, live, o.namespace)
		}})
	}
	return c.SetupWithManager(mgr, own)
}
