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

	"k8s.io/apimachinery/pkg/util/uuid"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/apiserver"
	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/internal/directory"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/peers"
	"github.com/latchkey-dev/latchkey/internal/rest/backend"
	"github.com/latchkey-dev/latchkey/internal/rest/coder"
	"github.com/latchkey-dev/latchkey/internal/rest/golem"
	"github.com/latchkey-dev/latchkey/internal/store"
)

// addREST adds the REST APIs. It returns a check of whether this replica may answer
// readers.
func addREST(ctx context.Context, mgr ctrl.Manager, o *serverOptions, live client.WithWatch, ring *keyring.Ring, digestKey *keyring.DigestKey, keeper *certs.Keeper, standing *apiserver.Standing) (func() error, error) {
	members, err := joinReplicas(ctx, mgr, o, live)
	if err != nil {
		return nil, err
	}
	others := peers.New(members, mgr.GetConfig(), keeper.CA, fmt.Sprintf("latchkey-server.%s.svc", o.namespace))
	access, err := apiserver.NewAccess(mgr.GetConfig())
	if err != nil {
		return nil, fmt.Errorf("set up authorisation: %w", err)
	}
	so := store.Options{Cache: mgr.GetCache(), Namespaces: o.tenants, Live: live, Keyring: ring, Peers: others, Sources: access, DigestKey: digestKey.Key}
	users, err := store.NewUsers(ctx, so, o.user)
	if err != nil {
		return nil, err
	}
	agents, err := store.NewAgents(ctx, so, o.agent)
	if err != nil {
		return nil, err
	}
	tenants, err := directory.New(ctx, mgr.GetCache(), live, ctrl.LoggerFrom(ctx), o.tenants)
	if err != nil {
		return nil, err
	}
	c := &backend.Coder{Tenants: tenants, Access: access, Store: users, Serving: members.Serving}
	g := &backend.Golem{Tenants: tenants, Access: access, Store: agents, Serving: members.Serving}
	coderAt := func(root, prefix string) http.Handler {
		return coder.New(coder.Config{Root: root, Prefix: prefix, Directory: c, Authorizer: c, Secrets: c, MaxSecrets: o.user.Secrets})
	}
	golemAt := func(prefix string) http.Handler {
		return golem.New(golem.Config{Prefix: prefix, Directory: g, Authorizer: g, Secrets: g})
	}
	server, err := apiserver.New(ctx, o.rest, apiserver.Deps{
		Config:          mgr.GetConfig(),
		Certificate:     keeper,
		Standing:        standing,
		CoderDirect:     coderAt(apiserver.CoderRoot, apiserver.CoderDirect),
		CoderAggregated: coderAt("", apiserver.CoderAggregated),
		GolemDirect:     golemAt(apiserver.GolemDirect),
		GolemAggregated: golemAt(apiserver.GolemAggregated),
		Plain:           map[string]http.Handler{peers.Path: peers.Handler(map[string]peers.Seer{"UserSecret": users, "AgentSecret": agents})},
		Checks:          map[string]func() error{"keys": ring.Ready, "replicas": members.Serving},
	})
	if err != nil {
		return nil, err
	}
	served := make(chan struct{})
	return members.Serving, errors.Join(
		mgr.Add(runnable(func(ctx context.Context) error {
			defer close(served)
			return server.Run(ctx)
		})),
		mgr.Add(runnable(func(ctx context.Context) error {
			// Others may count on this replica's cache only once it is there.
			if !mgr.GetCache().WaitForCacheSync(ctx) {
				return nil
			}
			return outlive(ctx, served, members.Start)
		})),
	)
}

// outlive runs keep until served is closed, also after ctx has ended. Told to stop, a
// replica goes on answering for a while, and as long as it does, writers elsewhere
// must wait for it: it gives up its Lease last.
func outlive(ctx context.Context, served <-chan struct{}, keep func(context.Context) error) error {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() {
		select {
		case <-served:
			stop()
		case <-ctx.Done():
		}
	}()
	return keep(ctx)
}

// joinReplicas makes this process known to the other replicas of the server.
func joinReplicas(ctx context.Context, mgr ctrl.Manager, o *serverOptions, live client.Client) (*peers.Members, error) {
	address, err := o.advertised()
	if err != nil {
		return nil, err
	}
	replicas, err := caches.Replicas(mgr.GetConfig(), mgr.GetScheme(), o.namespace, peers.LabelServer)
	if err != nil {
		return nil, fmt.Errorf("set up the cache of replicas: %w", err)
	}
	if err := mgr.Add(replicas); err != nil {
		return nil, err
	}
	return peers.NewMembers(ctx, live, replicas, o.namespace, string(uuid.NewUUID()), address)
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
