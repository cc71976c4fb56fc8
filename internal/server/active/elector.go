// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package active

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/latchkey-dev/latchkey/internal/watch"
)

// LeaseName is the name of the Lease.
const LeaseName = "latchkey-server"

const (
	// watchesMayBreak is how long the caches may be without a watch before the active
	// server gives up the Lease: watches end and restart all the time.
	watchesMayBreak = 1500 * time.Millisecond
	// catchUpWithin is how long the caches may take to catch up. After that, and a
	// pause of catchUpAgain, they must catch up with a newer state.
	catchUpWithin = 10 * time.Second
	catchUpAgain  = 100 * time.Millisecond
)

// Elector makes a replica the active one when no other is.
type Elector struct {
	// Tenure is notified of changes.
	Tenure *Tenure
	// Config is for the API server; Namespace is that of the Lease.
	Config    *rest.Config
	Namespace string
	// Live reports whether the caches follow the API server, and returns a channel that
	// is closed when that changes.
	Live func() (live bool, changed <-chan struct{})
	// CatchUp waits until the caches have all that the API server had when it was
	// called.
	CatchUp func(ctx context.Context) error

	released chan struct{}
}

// Watch follows the Lease in c, so that its holder is known without a request.
func (e *Elector) Watch(ctx context.Context, c cache.Cache) error {
	e.released = make(chan struct{}, 1)
	return watch.Objects(ctx, c, &coordinationv1.Lease{}, e.observe, nil)
}

func (e *Elector) observe(lease *coordinationv1.Lease) {
	record := resourcelock.LeaseSpecToLeaderElectionRecord(&lease.Spec)
	e.Tenure.observe(record.HolderIdentity, record.RenewTime.String())
	if record.HolderIdentity != "" {
		return
	}
	select {
	case e.released <- struct{}{}: // a try follows at once
	default:
	}
}

// Run holds the Lease whenever no other replica does and the caches are live. When ctx
// ends, it releases the Lease.
func (e *Elector) Run(ctx context.Context) error {
	inner, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, e.Namespace, LeaseName,
		resourcelock.ResourceLockConfig{Identity: e.Tenure.identity}, e.Config, renewWithin)
	if err != nil {
		return fmt.Errorf("set up Lease %s: %w", LeaseName, err)
	}
	go e.catchUp(ctx)
	for ctx.Err() == nil {
		live, changed := e.Live()
		if live {
			if err := e.contend(ctx, &lock{Interface: inner, tenure: e.Tenure}); err != nil {
				return err
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return nil
}

// contend acquires and holds the Lease until it is lost, or until a new try is better.
func (e *Elector) contend(ctx context.Context, l *lock) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: l, Name: LeaseName, ReleaseOnCancel: true,
		LeaseDuration: leaseFor, RenewDeadline: renewWithin, RetryPeriod: renewEvery,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}},
	})
	if err != nil {
		return fmt.Errorf("set up Lease %s: %w", LeaseName, err)
	}
	go e.interrupt(ctx, stop)
	elector.Run(ctx)
	return nil
}

// interrupt stops a try that would keep waiting although the Lease is free, and a
// holder whose caches do not follow the API server.
func (e *Elector) interrupt(ctx context.Context, stop context.CancelFunc) {
	var broken <-chan time.Time
	for {
		live, changed := e.Live()
		switch {
		case live:
			broken = nil
		case broken == nil:
			broken = time.After(watchesMayBreak)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-e.released:
			if !e.Tenure.state().held {
				stop()
			}
		case <-broken:
			ctrl.LoggerFrom(ctx).Info("The caches do not follow the API server: another server may become the active one")
			stop()
			return
		}
	}
}

// catchUp makes this replica the active one each time it has acquired the Lease.
func (e *Elector) catchUp(ctx context.Context) {
	log := ctrl.LoggerFrom(ctx).WithName("active")
	for ctx.Err() == nil {
		s := e.Tenure.state()
		if !s.held || s.ready {
			select {
			case <-s.changed:
			case <-ctx.Done():
			}
			continue
		}
		began := time.Now()
		limited, cancel := context.WithTimeout(ctx, catchUpWithin)
		err := errors.Join(pause(limited, s.alone), e.CatchUp(limited))
		cancel()
		if err == nil {
			e.Tenure.caughtUp(s.epoch)
			log.Info("This server is the active one", "caughtUpIn", time.Since(began).String())
			continue
		}
		log.Info("The caches have not caught up yet", "reason", err.Error())
		_ = pause(ctx, catchUpAgain) // the loop ends when ctx ends
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
