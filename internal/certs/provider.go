// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/latchkey-dev/latchkey/internal/watch"
)

// Provider has the current certificate of the Secret. Its zero value is ready to use
// and has none.
//
// It serves both kinds of server: a tls.Config through GetCertificate, and
// k8s.io/apiserver as a CertKeyContentProvider that notifies its listeners of a renewed
// certificate.
type Provider struct {
	current atomic.Pointer[pair]

	mu        sync.Mutex
	listeners []dynamiccertificates.Listener
}

var _ dynamiccertificates.CertKeyContentProvider = &Provider{}

// pair is a certificate and its key, parsed and as stored in the Secret.
type pair struct {
	parsed    tls.Certificate
	cert, key []byte
}

// Watch updates p with the Secret, as seen through c.
func (p *Provider) Watch(ctx context.Context, c cache.Cache) error {
	log := ctrl.LoggerFrom(ctx).WithName("certs")
	return watch.Objects(ctx, c, &corev1.Secret{}, func(s *corev1.Secret) {
		if s.Name == SecretName && p.set(s.Data) != nil {
			// The error is not logged: the message of crypto/tls for a broken key may
			// quote it.
			log.Info("Serving certificate is not usable yet, waiting for the controller")
		}
	}, nil)
}

// set uses the data of the Secret. An unusable pair leaves the previous one in place.
func (p *Provider) set(data map[string][]byte) error {
	next := &pair{
		cert: bytes.Clone(data[corev1.TLSCertKey]),
		key:  bytes.Clone(data[corev1.TLSPrivateKeyKey]),
	}
	var err error
	if next.parsed, err = tls.X509KeyPair(next.cert, next.key); err != nil {
		return err
	}
	last := p.current.Swap(next)
	expiry.Set(float64(next.parsed.Leaf.NotAfter.Unix()))
	if last != nil && bytes.Equal(last.cert, next.cert) && bytes.Equal(last.key, next.key) {
		return nil // something else in the Secret changed, or it was only listed again
	}
	p.mu.Lock()
	listeners := slices.Clone(p.listeners)
	p.mu.Unlock()
	for _, l := range listeners {
		l.Enqueue()
	}
	return nil
}

// errNoCertificate is the error before the controller has run for the first time.
var errNoCertificate = errors.New("no serving certificate yet: the latchkey controller makes it; check that it runs")

// GetCertificate is for tls.Config.
func (p *Provider) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	current := p.current.Load()
	if current == nil {
		return nil, errNoCertificate
	}
	return &current.parsed, nil
}

// Ready returns an error while there is no certificate.
func (p *Provider) Ready() error {
	if p.current.Load() == nil {
		return errNoCertificate
	}
	return nil
}

// Wait returns as soon as a certificate exists, or with ctx's error.
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
	default: // already signalled
	}
}

// Name implements dynamiccertificates.CertKeyContentProvider.
func (p *Provider) Name() string { return SecretName }

// CurrentCertKeyContent implements dynamiccertificates.CertKeyContentProvider: the
// certificate and its key in PEM, or nil if none exists.
func (p *Provider) CurrentCertKeyContent() (cert, key []byte) {
	current := p.current.Load()
	if current == nil {
		return nil, nil
	}
	return current.cert, current.key
}

// AddListener implements dynamiccertificates.Notifier. It notifies the listener of
// every certificate that differs from the previous one.
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
