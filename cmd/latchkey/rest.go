// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	coordinationv1 "k8s.io/api/coordination/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/server/active"
	"github.com/latchkey-dev/latchkey/internal/server/apiserver"
	"github.com/latchkey-dev/latchkey/internal/server/coder"
	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/golem"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// addREST adds the REST APIs.
func addREST(ctx context.Context, mgr ctrl.Manager, o *serverOptions, live client.WithWatch, ring *keyring.Ring, digestKey *keyring.DigestKey, certificates *certs.Provider, watches *caches.Watches, tenure *active.Tenure) error {
	access, err := apiserver.NewAccess(mgr.GetConfig())
	if err != nil {
		return fmt.Errorf("set up authorisation: %w", err)
	}
	so := store.Options{Cache: mgr.GetCache(), Namespaces: o.tenants, Live: live, Keyring: ring, Held: active.Held, Sources: access, DigestKey: digestKey.Key}
	users, err := store.NewUsers(ctx, so, o.user)
	if err != nil {
		return err
	}
	agents, err := store.NewAgents(ctx, so, o.agent)
	if err != nil {
		return err
	}
	tenants, err := directory.New(ctx, mgr.GetCache(), live, ctrl.LoggerFrom(ctx), o.tenants)
	if err != nil {
		return err
	}
	elector := &active.Elector{
		Tenure: tenure, Config: mgr.GetConfig(), Namespace: o.namespace,
		Live: func() (bool, <-chan struct{}) { return watches.Live(readFrom...) },
		CatchUp: func(ctx context.Context) error {
			return errors.Join(users.CatchUp(ctx), agents.CatchUp(ctx))
		},
	}
	if err := watchLease(ctx, mgr, o.namespace, elector, watches); err != nil {
		return err
	}
	coderAt := func(root, prefix string) http.Handler {
		return coder.New(coder.Config{Root: root, Prefix: prefix, Directory: tenants, Access: access, Secrets: users, MaxSecrets: o.user.Secrets})
	}
	golemAt := func(prefix string) http.Handler {
		return golem.New(golem.Config{Prefix: prefix, Directory: tenants, Access: access, Secrets: agents, Opener: ring})
	}
	server, err := apiserver.New(ctx, o.rest, apiserver.Deps{
		Config:          mgr.GetConfig(),
		Certificate:     certificates,
		Active:          tenure,
		Listen:          (&active.Forwarder{Tenure: tenure, Key: digestKey.Key}).Listen,
		CoderDirect:     coderAt(apiserver.CoderRoot, apiserver.CoderDirect),
		CoderAggregated: coderAt("", apiserver.CoderAggregated),
		GolemDirect:     golemAt(apiserver.GolemDirect),
		GolemAggregated: golemAt(apiserver.GolemAggregated),
		Checks:          map[string]func() error{"keys": ring.Ready},
	})
	if err != nil {
		return err
	}
	return mgr.Add(runnable(func(ctx context.Context) error {
		return serve(ctx, server, elector, tenure, o.rest.ShutdownDelay)
	}))
}

// readFrom are the caches that REST reads from.
var readFrom = []string{"UserSecret", "AgentSecret", "Namespace"}

// finishWithin is how long requests may take that are open when no more are accepted.
const finishWithin = 2 * time.Second

// serve answers REST, as the active server whenever no other is active, until ctx ends.
// When told to stop, it continues for a while and makes clients open a new connection
// for their next request. Then it accepts no more connections, answers the open
// requests, hands over, and only then stops. So clients do not notice that it stops.
func serve(ctx context.Context, server *apiserver.Server, elector *active.Elector, tenure *active.Tenure, delay time.Duration) error {
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	contending, handOver := context.WithCancel(serving)
	var group errgroup.Group
	group.Go(func() error {
		defer handOver()
		return server.Run(serving)
	})
	group.Go(func() error {
		defer stopServing()
		return elector.Run(contending)
	})
	select {
	case <-ctx.Done():
		tenure.Leave()
		time.Sleep(delay) // for load balancers to notice, as asked for
		finishing, cancel := context.WithTimeout(contending, finishWithin)
		defer cancel()
		tenure.StepDown(finishing)
	case <-contending.Done(): // one of both failed
	}
	handOver()
	return group.Wait()
}

// watchLease has the elector follow the Lease.
func watchLease(ctx context.Context, mgr ctrl.Manager, namespace string, elector *active.Elector, watches *caches.Watches) error {
	lease, err := caches.Named(mgr.GetConfig(), mgr.GetScheme(), &coordinationv1.Lease{}, namespace, active.LeaseName, watches)
	if err != nil {
		return fmt.Errorf("set up the cache of the Lease: %w", err)
	}
	return errors.Join(mgr.Add(lease), elector.Watch(ctx, lease))
}

// advertised returns where other replicas reach this one's REST port.
func (o *serverOptions) advertised() (string, error) {
	if o.advertiseAddr != "" {
		return o.advertiseAddr, nil
	}
	host, port, err := net.SplitHostPort(o.rest.BindAddress)
	if err != nil {
		return "", err
	}
	if ip := os.Getenv("POD_IP"); ip != "" {
		host = ip
	}
	if host == "" {
		return "", errors.New("set --advertise-address, or POD_IP, to where other replicas reach this one")
	}
	return net.JoinHostPort(host, port), nil
}
