// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"fmt"
	"net"
	"net/http"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"

	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/internal/server/active"
)

// Deps are the server's dependencies. All but Active, Listen and Checks are required.
type Deps struct {
	// Config reaches the cluster that authenticates callers.
	Config *rest.Config
	// Certificate provides the serving certificate, also after a renewal. Without one,
	// nothing is served.
	Certificate *certs.Provider
	// The dialects: one handler for each face, made with the prefixes of this package.
	// They check the caller's rights themselves.
	CoderDirect, CoderAggregated, GolemDirect, GolemAggregated http.Handler
	// Active decides whether this replica may answer the dialects' requests; nil if it
	// is the only replica.
	Active *active.Tenure
	// Listen returns the listener to accept from; nil means the listener that it would
	// get.
	Listen func(ctx context.Context, inner net.Listener) net.Listener
	// Checks are the readiness checks, by name. Discovery and the OpenAPI documents are
	// served even if they fail.
	Checks map[string]func() error
}

// Server serves the REST dialects.
type Server struct {
	generic     *genericapiserver.GenericAPIServer
	prepared    interface{ RunWithContext(context.Context) error }
	certificate *certs.Provider
	listen      func(ctx context.Context, inner net.Listener) net.Listener
	bindAddress string
}

// New returns a Server. It does not listen or send requests before Run.
func New(_ context.Context, o Options, d Deps) (*Server, error) {
	c, err := o.config(d)
	if err != nil {
		return nil, err
	}
	if err := c.delegate(); err != nil {
		return nil, err
	}
	return c.complete().server()
}

// Handler returns the whole chain, for callers with a listener of their own.
func (s *Server) Handler() http.Handler { return s.generic.Handler }

// Run serves until ctx is done. Then the server is no longer ready, serves for the
// shutdown delay, and returns when all requests were answered.
func (s *Server) Run(ctx context.Context) error {
	if s.certificate.Wait(ctx) != nil {
		return nil // told to stop before it had a certificate
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.bindAddress)
	if err != nil {
		return fmt.Errorf("listen on --secure-bind-address: %w", err)
	}
	if s.listen != nil {
		listener = s.listen(ctx, listener)
	}
	s.generic.SecureServingInfo.Listener = listener
	return s.prepared.RunWithContext(ctx)
}
