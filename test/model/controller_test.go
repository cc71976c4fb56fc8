// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/controllers/bundler"
	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// errDead is what a controller is told that has died.
var errDead = errors.New("the process is dead")

// fate is between a controller and the API server. It lets a number of requests through,
// and then none: the process has died, though its goroutines may not know yet.
type fate struct {
	next http.RoundTripper

	mu sync.Mutex
	// left is how many requests are let through, watches not counted; below 0 means all.
	left int
	// answered: the last request reaches the API server, and its answer nobody.
	reaches bool
	dead    bool
	died    chan struct{}
}

func (f *fate) RoundTrip(r *http.Request) (*http.Response, error) {
	through, last := f.admit(r)
	if !through {
		return nil, errDead
	}
	response, err := f.next.RoundTrip(r)
	if last && err == nil {
		_ = response.Body.Close()
		return nil, errDead
	}
	return response, err
}

func (f *fate) admit(r *http.Request) (through, last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.dead:
		return false, false
	case f.left < 0 || r.URL.Query().Get("watch") != "":
		return true, false
	case f.left > 0:
		f.left--
		return true, false
	}
	f.dead = true
	close(f.died)
	return f.reaches, true
}

// spare lets all further requests through.
func (f *fate) spare() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = -1
}

// process is a controller of bundles, in this process.
type process struct {
	*fate
	cancel context.CancelFunc
	ended  chan error
}

// start starts a controller that dies after so many requests; below 0, it does not.
func start(ctx context.Context, cfg *rest.Config, key digest.Key, requests int, reaches bool) (*process, error) {
	p := &process{fate: &fate{left: requests, reaches: reaches, died: make(chan struct{})}, ended: make(chan error, 1)}
	ctx, p.cancel = context.WithCancel(ctx)
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		p.next = next
		return p.fate
	})
	mgr, err := newManager(ctx, cfg, key)
	if err != nil {
		p.cancel()
		select {
		case <-p.died: // while it started
			p.ended <- nil
			return p, nil
		default:
			return nil, err
		}
	}
	go func() { p.ended <- mgr.Start(ctx) }()
	return p, nil
}

// stop ends the process at once: it can finish nothing.
func (p *process) stop() {
	p.mu.Lock()
	if !p.dead {
		p.dead = true
		close(p.died)
	}
	p.mu.Unlock()
	p.cancel()
	<-p.ended // what it says does not matter: it was killed
}

func newManager(ctx context.Context, cfg *rest.Config, key digest.Key) (manager.Manager, error) {
	scheme := framework.NewScheme()
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                  scheme,
		Logger:                  logr.Discard(),
		Cache:                   caches.Controller(bundler.Digested(key), nil),
		Metrics:                 metricsserver.Options{BindAddress: "0"},
		GracefulShutdownTimeout: ptr.To(5 * time.Second),
		Controller:              config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		return nil, err
	}
	live, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	store := &keyring.Store{Reader: live, Writer: live, Namespace: framework.SystemNamespace}
	var ring *keyring.Ring
	ring = keyring.NewRing(func(ctx context.Context) error { return store.LoadInto(ctx, ring) })
	keys, err := caches.Keys(cfg, scheme, framework.SystemNamespace, nil)
	if err != nil {
		return nil, err
	}
	sources, err := caches.NewVersions(cfg, scheme, nil)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(mgr.Add(keys), mgr.Add(sources), keyring.Watch(ctx, keys, framework.SystemNamespace, ring)); err != nil {
		return nil, err
	}
	for _, adapter := range []bundler.Adapter{bundler.Users(limits.DefaultUser(), nil, key), bundler.Agents(limits.DefaultAgent(), nil)} {
		woken := make(chan event.GenericEvent, 1)
		ring.Notify(func() {
			select {
			case woken <- event.GenericEvent{Object: &v1alpha1.UserSecret{}}:
			default:
			}
		})
		r := &bundler.Reconciler{
			Adapter: adapter, Client: mgr.GetClient(), Live: live, Opener: ring,
			Events: mgr.GetEventRecorder("latchkey"), DigestKey: key,
		}
		if err := r.SetupWithManager(mgr, sources, woken, 4); err != nil {
			return nil, fmt.Errorf("%s: %w", adapter.Name, err)
		}
	}
	return mgr, nil
}
