// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

const dialTimeout = time.Second

// newBalanceCommand is what the stack runs, detached, in the place of a Service network.
func newBalanceCommand() *cobra.Command {
	var routes []string
	command := &cobra.Command{
		Use:    "lb --route LISTEN=BACKEND+BACKEND ...",
		Short:  "Balances TCP connections over the servers",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			group, ctx := errgroup.WithContext(cmd.Context())
			for _, text := range routes {
				r, err := parseRoute(text)
				if err != nil {
					return err
				}
				group.Go(func() error { return r.listenAndServe(ctx) })
			}
			return group.Wait()
		},
	}
	command.Flags().StringArrayVar(&routes, "route", nil, "address to listen on, and the backends behind it")
	return command
}

// route is one address in front of several backends.
type route struct {
	listen   string
	backends []string
	next     atomic.Uint64
}

func parseRoute(text string) (*route, error) {
	listen, backends, found := strings.Cut(text, "=")
	if !found {
		return nil, fmt.Errorf("--route %q: want LISTEN=BACKEND+BACKEND", text)
	}
	return &route{listen: listen, backends: strings.Split(backends, "+")}, nil
}

func (r *route) listenAndServe(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", r.listen)
	if err != nil {
		return err
	}
	return r.serve(ctx, listener)
}

// serve forwards connections until ctx ends; then it cuts those that are open and returns.
func (r *route) serve(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var open sync.WaitGroup
	defer open.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	for {
		client, err := listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = client.Close()
			}
			return nil
		}
		if err != nil {
			return err
		}
		open.Go(func() { r.forward(ctx, client) })
	}
}

// forward connects a client with the next backend that answers.
func (r *route) forward(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()
	backend, err := r.dial(ctx)
	if err != nil {
		return // the client sees its connection closed, as from a Service without endpoints
	}
	defer func() { _ = backend.Close() }()
	defer context.AfterFunc(ctx, func() {
		_ = client.Close()
		_ = backend.Close()
	})()
	var directions sync.WaitGroup
	directions.Go(func() { pipe(backend, client) })
	directions.Go(func() { pipe(client, backend) })
	directions.Wait()
}

// dial takes turns, and skips backends that do not accept.
func (r *route) dial(ctx context.Context) (net.Conn, error) {
	first := r.next.Add(1) - 1
	dialer := net.Dialer{Timeout: dialTimeout}
	var failures []error
	for i := range uint64(len(r.backends)) {
		connection, err := dialer.DialContext(ctx, "tcp", r.backends[(first+i)%uint64(len(r.backends))])
		if err == nil {
			return connection, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// pipe copies one direction and passes its end on, so that the other direction can still finish. After an error
// nothing more can be said in either direction.
func pipe(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		err = half.CloseWrite()
	}
	if err != nil {
		_ = to.Close()
		_ = from.Close()
	}
}
