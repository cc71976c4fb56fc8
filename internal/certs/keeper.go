// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// Keeper holds the certificate that the Secret holds at the moment.
type Keeper struct {
	cert atomic.Pointer[tls.Certificate]
}

// Watch keeps k in step with the Secret, as seen through c.
func (k *Keeper) Watch(ctx context.Context, c cache.Cache) error {
	informer, err := c.GetInformer(ctx, &corev1.Secret{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch Secret %s: %w", SecretName, err)
	}
	log := ctrl.LoggerFrom(ctx).WithName("certs")
	take := func(obj any) {
		secret, ok := obj.(*corev1.Secret)
		if !ok || secret.Name != SecretName {
			return
		}
		if err := k.set(secret.Data); err != nil {
			// Not passed on: what crypto/tls says of a broken key may quote it.
			log.Info("Serving certificate is not usable yet, waiting for the controller")
		}
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    take,
		UpdateFunc: func(_, obj any) { take(obj) },
	})
	return err
}

func (k *Keeper) set(data map[string][]byte) error {
	cert, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return err
	}
	k.cert.Store(&cert)
	return nil
}

// errNoCertificate is what clients meet before the controller has run once.
var errNoCertificate = errors.New("no serving certificate yet: the latchkey controller makes it; check that it runs")

// GetCertificate serves tls.Config.
func (k *Keeper) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert := k.cert.Load()
	if cert == nil {
		return nil, errNoCertificate
	}
	return cert, nil
}

// Ready returns an error while there is no certificate.
func (k *Keeper) Ready() error {
	if k.cert.Load() == nil {
		return errNoCertificate
	}
	return nil
}
