// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package keyrotation manages the sealing keys. The leader makes the first key, and a
// new one when the newest reaches its maximum age or somebody asks for it. It seals the
// objects of older keys again at a bounded rate, and retires keys that are no longer
// needed. The package reads objects and keys from caches, and writes key Secrets, the
// ConfigMap of public keys, and spec.sealedValue of objects.
package keyrotation

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/keyring"
)

// MinRetention is the minimum retention, because deleting a key is final. It must not
// happen while a replica whose watch lags may still seal with the key, while a client
// that fetched its public half before the rotation seals offline, or before someone who
// made a mistake had a day to notice.
const MinRetention = 24 * time.Hour

// Options are the user's choices.
type Options struct {
	// Rotation is the age at which the newest key is replaced; 0 disables rotation.
	Rotation time.Duration
	// Retention is how long a key is stored after its successor was made, if no object
	// needs it. 0 means for ever; otherwise it is at least MinRetention.
	Retention time.Duration
	// ResealRate is how many objects are sealed again per second.
	ResealRate float64
	// Interval is the time between two rounds.
	Interval time.Duration
}

// Controller is the manager's runnable. It runs on the leader only.
type Controller struct {
	// Client reads objects from the cache and writes.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
	// Store reads and writes the key Secrets.
	Store *keyring.Store
	// Ring is the process's keyring.
	Ring *keyring.Ring
	// Clock tells the time.
	Clock clock.Clock
	// Options are the user's choices.
	Options Options

	limiter *rate.Limiter
}

// NeedLeaderElection makes the manager run the controller on the leader only.
func (c *Controller) NeedLeaderElection() bool { return true }

// Start runs rounds until ctx ends. A failed round is logged and repeated at the next:
// only the first key is urgent, because nothing is ready without it.
func (c *Controller) Start(ctx context.Context) error {
	log := ctrl.LoggerFrom(ctx).WithName("keyrotation")
	c.limiter = rate.NewLimiter(rate.Limit(c.Options.ResealRate), 1)
	// A round starts at once when a key is deleted, so that it is no longer published.
	// If it was the only key, it needs a successor, because no secret can be changed
	// without a key. A round also starts when somebody asks for a rotation.
	changed := make(chan struct{}, 1)
	c.Ring.Notify(func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	for {
		wait := c.Options.Interval
		if err := c.Round(ctx); err != nil && ctx.Err() == nil {
			log.Error(err, "Key rotation round failed")
			wait = min(wait, 5*time.Second)
		}
		timer := c.Clock.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C():
		case <-changed:
			timer.Stop()
		}
	}
}

// Round does once all that is due.
func (c *Controller) Round(ctx context.Context) error {
	if err := c.keys(ctx); err != nil {
		return err
	}
	counts, err := c.reseal(ctx)
	if err != nil {
		return err
	}
	return c.retire(ctx, counts)
}

// keys makes the first key, makes the next one when it is due, and publishes them.
func (c *Controller) keys(ctx context.Context) error {
	now := c.Clock.Now()
	keys, err := c.Store.EnsureFirst(ctx, now)
	if err != nil {
		return fmt.Errorf("make the first sealing key: %w", err)
	}
	newest := newestOf(keys)
	ofAge := c.Options.Rotation > 0 && now.Sub(newest.Created) >= c.Options.Rotation
	// Only a request on the newest key counts, and its successor has none. So a request
	// that is read again, after a crash or a change of the leader, is already done.
	if len(keys) > 0 && (ofAge || newest.WantsSuccessor()) {
		key, err := c.Store.Create(ctx, now)
		if err != nil {
			return fmt.Errorf("rotate: %w", err)
		}
		keys = append(keys, key)
		ctrl.LoggerFrom(ctx).Info("Rotated the sealing key", "key", key.ID, "previous", newest.ID, "requested", newest.WantsSuccessor())
	}
	if c.Options.Rotation > 0 {
		rotationDue.Set(float64(newestOf(keys).Created.Add(c.Options.Rotation).Unix()))
	}
	c.Ring.Learn(keys)
	return c.Store.Publish(ctx, c.Ring.Infos())
}

func newestOf(keys []keyring.Key) keyring.Key {
	var newest keyring.Key
	for _, k := range keys {
		if newest.ID == "" || k.Created.After(newest.Created) {
			newest = k
		}
	}
	return newest
}

// retire deletes keys that no object needs, that had a successor for long enough, and
// that are not the newest.
func (c *Controller) retire(ctx context.Context, counts map[string]int) error {
	if c.Options.Retention <= 0 {
		return nil
	}
	infos := c.Ring.Infos()
	for _, k := range infos {
		successor, ok := successorOf(k, infos)
		if !ok || counts[k.ID] > 0 || c.Clock.Since(successor.Created) < c.Options.Retention {
			continue
		}
		if err := c.Store.Delete(ctx, k.ID); err != nil {
			return fmt.Errorf("retire sealing key %s: %w", k.ID, err)
		}
		ctrl.LoggerFrom(ctx).Info("Retired a sealing key that no object needs", "key", k.ID)
	}
	return nil
}

// successorOf returns the key that was made next after k.
func successorOf(k keyring.KeyInfo, all []keyring.KeyInfo) (keyring.KeyInfo, bool) {
	var next keyring.KeyInfo
	for _, o := range all {
		if o.Created.After(k.Created) && (next.ID == "" || o.Created.Before(next.Created)) {
			next = o
		}
	}
	return next, next.ID != ""
}
