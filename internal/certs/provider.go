// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// Provider holds the certificate that the Secret holds at the moment. Its zero value
// is ready for use and holds none.
//
// It serves both kinds of server that there are: a tls.Config through
// GetCertificate, and k8s.io/apiserver as a CertKeyContentProvider that tells its
// listeners of a renewed certificate.
type Provider struct {
	current atomic.Pointer[pair]

	mu        sync.Mutex
	listeners []dynamiccertificates.Listener
}

var _ dynamiccertificates.CertKeyContentProvider = &Provider{}

// pair is a certificate and its key, parsed and as they were in the Secret.
type pair struct {
	parsed        tls.Certificate
	cert, key, ca []byte
}

// Watch keeps p in step with the Secret, as seen through c.
func (p *Provider) Watch(ctx context.Context, c cache.Cache) error {
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
		if err := p.set(secret.Data); err != nil {
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

// set takes over what the Secret holds. A pair that cannot be used leaves the one
// before it in place.
func (p *Provider) set(data map[string][]byte) error {
	next := &pair{
		cert: bytes.Clone(data[corev1.TLSCertKey]),
		key:  bytes.Clone(data[corev1.TLSPrivateKeyKey]),
		ca:   bytes.Clone(data["ca.crt"]),
	}
	var err error
	if next.parsed, err = tls.X509KeyPair(next.cert, next.key); err != nil {
		return err
	}
	last := p.current.Swap(next)
	expiry.Set(float64(next.parsed.Leaf.NotAfter.Unix()))
	if last != nil && bytes.Equal(last.cert, next.cert) && bytes.Equal(last.key, next.key) {
		return nil // the Secret changed in something else, or was only listed again
	}
	p.mu.Lock()
	listeners := slices.Clone(p.listeners)
	p.mu.Unlock()
	for _, l := range listeners {
		l.Enqueue()
	}
	return nil
}

// errNoCertificate is what clients meet before the controller has run once.
var errNoCertificate = errors.New("no serving certificate yet: the latchkey controller makes it; check that it runs")

// GetCertificate serves tls.Config.
func (p *Provider) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	current := p.current.Load()
	if current == nil {
		return nil, errNoCertificate
	}
	return &current.parsed, nil
}

// CA returns the certificate, in PEM, that signed the one served; nil before there is
// any.
func (p *Provider) CA() []byte {
	current := p.current.Load()
	if current == nil {
		return nil
	}
	return current.ca
}

// Ready returns an error while there is no certificate.
func (p *Provider) Ready() error {
	if p.current.Load() == nil {
		return errNoCertificate
	}
	return nil
}

// Wait returns as soon as there is a certificate, or with ctx's error.
func (p *Provider) Wait(ctx context.Context) error {
	changed := make(signal, 1)
	p.AddListener(changed)
	defer p.removeListener(changed)
	for p.Ready() != nil {
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// signal is a listener to wait for.
type signal chan struct{}

// Enqueue implements dynamiccertificates.Listener.
func (s signal) Enqueue() {
	select {
	case s <- struct{}{}:
	default: // it is signalled already
	}
}

// Name implements dynamiccertificates.CertKeyContentProvider.
func (p *Provider) Name() string { return SecretName }

// CurrentCertKeyContent implements dynamiccertificates.CertKeyContentProvider: the
// certificate and its key in PEM, nothing while there is none.
func (p *Provider) CurrentCertKeyContent() (cert, key []byte) {
	current := p.current.Load()
	if current == nil {
		return nil, nil
	}
	return current.cert, current.key
}

// AddListener implements dynamiccertificates.Notifier. The listener hears of every
// certificate that differs from the one before it.
func (p *Provider) AddListener(l dynamiccertificates.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listeners = append(p.listeners, l)
}

func (p *Provider) removeListener(gone dynamiccertificates.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listeners = slices.DeleteFunc(p.listeners, func(l dynamiccertificates.Listener) bool { return l == gone })
}
