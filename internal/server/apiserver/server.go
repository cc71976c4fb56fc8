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

// Deps are what the server is made of. All but Active, Listen and Checks are required.
type Deps struct {
	// Config reaches the cluster that authenticates callers.
	Config *rest.Config
	// Certificate is served, and served anew when it is renewed. Nothing is served
	// while there is none.
	Certificate *certs.Provider
	// The dialects, one handler per face, made with the prefixes of this package.
	// They check the caller's rights themselves.
	CoderDirect, CoderAggregated, GolemDirect, GolemAggregated http.Handler
	// Active says whether this replica may answer the dialects' requests; nil where there
	// is no other.
	Active *active.Tenure
	// Listen returns the listener to accept from; nil where it is the one given.
	Listen func(ctx context.Context, inner net.Listener) net.Listener
	// Checks are what readiness depends on, by name. Discovery and the OpenAPI
	// documents are served whatever they say.
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

// New returns a Server. Nothing is listened on or asked for before Run.
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

// Handler is the whole chain, for callers that bring their own listener.
func (s *Server) Handler() http.Handler { return s.generic.Handler }

// Run serves until ctx is done, then stops being ready, goes on serving for the
// shutdown delay, and returns when all requests have been answered.
func (s *Server) Run(ctx context.Context) error {
	if s.certificate.Wait(ctx) != nil {
		return nil // told to stop before there was anything to serve with
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
