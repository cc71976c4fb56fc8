// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/controllers/rollout"
	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/digest"
)

// takeOverTimeout bounds how long bundles wait for the restarts to take over. It is
// worse not to write bundles than to miss a restart.
const takeOverTimeout = 30 * time.Second

// addRestarts adds the restarts of workloads whose secrets changed, and returns what
// is to be called before any bundle is written.
func addRestarts(mgr ctrl.Manager, o *controllerOptions, live client.Client, own cache.Cache, digestKey digest.Key) (beforeWrites func(context.Context), err error) {
	if !o.restarts.Enabled {
		return nil, nil
	}
	workloads, err := rollout.NewCache(mgr, caches.Only(o.tenants))
	if err != nil {
		return nil, fmt.Errorf("set up the cache of workloads: %w", err)
	}
	r := &rollout.Reconciler{
		Bundles:   mgr.GetClient(),
		DigestKey: digestKey,
		Workloads: workloads,
		Live:      live,
		Namespace: o.namespace,
		Events:    mgr.GetEventRecorder("latchkey"),
		Clock:     clock.RealClock{},
		Options:   o.restarts,
	}
	var once sync.Once
	return func(ctx context.Context) {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(ctx, takeOverTimeout)
			defer cancel()
			if err := r.TakeOver(ctx); err != nil {
				ctrl.LoggerFrom(ctx).Error(err, "Cannot see which workloads came while nobody led: their first restart may be missing")
			}
		})
	}, r.SetupWithManager(mgr, workloads, own)
}
