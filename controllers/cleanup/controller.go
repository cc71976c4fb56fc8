// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cleanup finishes what requests left behind when their server replica died: it
// finishes an import that was committed and deletes one that was not. It reads
// UserSecrets from the cache and writes them, on the leader only.
package cleanup

import (
	"context"
	"time"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// interval is the time between two rounds.
const interval = time.Minute

// Controller is the manager's runnable.
type Controller struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Clock tells the time.
	Clock clock.WithTicker
}

// NeedLeaderElection makes the manager run the controller on the leader only.
func (c *Controller) NeedLeaderElection() bool { return true }

// Start runs rounds until ctx ends.
func (c *Controller) Start(ctx context.Context) error {
	log := ctrl.LoggerFrom(ctx).WithName("cleanup")
	ticker := c.Clock.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
		swept, err := store.Sweep(ctx, c.Client, c.Client, c.Clock.Now())
		if err != nil {
			log.Error(err, "Cannot clean up after an unfinished import")
		}
		if swept > 0 {
			log.Info("Cleaned up after an unfinished import", "objects", swept)
		}
	}
}
