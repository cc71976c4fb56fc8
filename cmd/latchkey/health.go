// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/keyring"
)

// addChecks adds /livez and /readyz. Ready means: the caches have synced, a sealing
// key is loaded, and whatever else the caller names.
func addChecks(mgr ctrl.Manager, ring *keyring.Ring, more map[string]func() error) error {
	var synced atomic.Bool
	err := mgr.Add(runnable(func(ctx context.Context) error {
		if mgr.GetCache().WaitForCacheSync(ctx) {
			synced.Store(true)
		}
		<-ctx.Done()
		return nil
	}))
	checks := map[string]healthz.Checker{
		"caches": func(*http.Request) error {
			if !synced.Load() {
				return errors.New("caches have not synced yet")
			}
			return nil
		},
		"keys": func(*http.Request) error { return ring.Ready() },
	}
	for name, check := range more {
		checks[name] = func(*http.Request) error { return check() }
	}
	err = errors.Join(err, mgr.AddHealthzCheck("ping", healthz.Ping))
	for name, check := range checks {
		err = errors.Join(err, mgr.AddReadyzCheck(name, check))
	}
	return err
}

// addWatchChecks makes /readyz?verbose, and only that, name the caches that do not
// follow the API server. A replica stays ready without them: admission continues with
// what it knows, and after an outage all replicas would leave their Services at once.
// See docs/decisions.
func addWatchChecks(mgr ctrl.Manager, watches *caches.Watches) error {
	var err error
	for _, name := range watches.Names() {
		err = errors.Join(err, mgr.AddReadyzCheck("watch-"+name, func(r *http.Request) error {
			if live, _ := watches.Live(name); !live && r.URL.Query().Has("verbose") {
				return errors.New("the cache does not follow the API server")
			}
			return nil
		}))
	}
	return err
}

// runnable is a manager.Runnable that runs on every replica, leader or not.
type runnable func(context.Context) error

var _ manager.LeaderElectionRunnable = runnable(nil)

// Start implements manager.Runnable.
func (r runnable) Start(ctx context.Context) error { return r(ctx) }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (r runnable) NeedLeaderElection() bool { return false }
