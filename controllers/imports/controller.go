// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package imports clears up after imports whose server replica died: what was
// committed is finished, what was not is deleted. It reads UserSecrets from the
// cache and writes them, on the leader only.
package imports

import (
	"context"
	"time"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/store"
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
	log := ctrl.LoggerFrom(ctx).WithName("imports")
	ticker := c.Clock.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
		swept, err := store.SweepImports(ctx, c.Client, c.Client, c.Clock.Now())
		if err != nil {
			log.Error(err, "Cannot clear up after an import")
		}
		if swept > 0 {
			log.Info("Cleared up after an import that its replica did not finish", "objects", swept)
		}
	}
}
