// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	ctrl "sigs.k8s.io/controller-runtime"
)

const (
	// headerTimeout bounds the handshake and the headers of a request.
	headerTimeout = 10 * time.Second
	idleTimeout   = 90 * time.Second
	// maxHeader is far above what an API server sends.
	maxHeader = 32 << 10
	// drainTimeout is how long a stopping server waits for its open requests.
	drainTimeout = limit
)

// Server serves a handler over TLS. It is a runnable of a manager, on every replica.
type Server struct {
	// Address is the address to listen on.
	Address string
	// Certificate returns the certificate to serve.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// ClientCA signs the accepted client certificates; nil requires none.
	ClientCA *dynamiccertificates.DynamicFileCAContent
	// Handler answers the requests.
	Handler http.Handler

	listening atomic.Bool
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Server) NeedLeaderElection() bool { return false }

// Ready returns an error until the server listens.
func (s *Server) Ready() error {
	if !s.listening.Load() {
		return errors.New("the admission port does not listen yet")
	}
	return nil
}

// Start serves until ctx ends, and then completes the open requests.
func (s *Server) Start(ctx context.Context) error {
	log := ctrl.LoggerFrom(ctx).WithName("admission")
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Address)
	if err != nil {
		return fmt.Errorf("listen for admission: %w", err)
	}
	if s.ClientCA != nil {
		go s.ClientCA.Run(ctx, 1) // reads the file again when it changes
	}
	server := &http.Server{
		Handler:           s.Handler,
		TLSConfig:         s.tls(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
		// Anyone can cause these messages, by a handshake that fails.
		ErrorLog: slog.NewLogLogger(logr.ToSlogHandler(log.V(1)), slog.LevelInfo),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(listener, "", "") }()
	s.listening.Store(true)
	log.Info("Serving admission", "address", s.Address)
	select {
	case err := <-ended:
		return fmt.Errorf("serve admission: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	return server.Shutdown(drain)
}

// tls returns the TLS configuration. The CA of clients is read for every connection,
// because the file may have changed.
func (s *Server) tls() *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: s.Certificate, NextProtos: []string{"h2", "http/1.1"}}
	if s.ClientCA == nil {
		return config
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.SessionTicketsDisabled = true // a resumed session would outlive the CA that admitted it
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		options, ok := s.ClientCA.VerifyOptions()
		if !ok {
			return nil, errors.New("no CA of clients")
		}
		mine := config.Clone()
		mine.ClientCAs = options.Roots
		return mine, nil
	}
	return config
}
