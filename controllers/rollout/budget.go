// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
)

const (
	// slotTimeout is how long a rollout counts at most, so that those which never
	// end do not keep others waiting for ever. It is the time after which a
	// Deployment by default says that it makes no progress.
	slotTimeout = 10 * time.Minute
	// lookEvery is the least time between two looks at the rollouts under way.
	lookEvery = time.Second
)

// budget holds the rollouts that Latchkey started and that may be under way.
type budget struct {
	max    int
	held   map[Workload]time.Time
	looked time.Time
}

// seed takes in what a former leader has started.
func (b *budget) seed(w Workload, rolledAt string, now time.Time) {
	if at, err := time.Parse(time.RFC3339, rolledAt); err == nil && now.Sub(at) < slotTimeout {
		b.hold(w, at)
	}
}

func (b *budget) hold(w Workload, at time.Time) {
	if b.held == nil {
		b.held = map[Workload]time.Time{}
	}
	b.held[w] = at
}

func (b *budget) release(w Workload) { delete(b.held, w) }

// allows tells whether w may be rolled. A workload whose rollout is under way may be
// rolled again: its new content may be what makes it succeed.
//
// The last free place is for tenants that have none, so that nobody can keep all
// others waiting with workloads that never become ready.
func (b *budget) allows(w Workload) bool {
	if _, has := b.held[w]; has {
		return true
	}
	switch free := b.max - len(b.held); {
	case free <= 0:
		return false
	case free > 1:
		return true
	}
	for other := range b.held {
		if other.Namespace == w.Namespace {
			return false
		}
	}
	return true
}

// admit tells whether w may be rolled, after a look at what has ended if need be.
func (r *Reconciler) admit(ctx context.Context, w Workload) bool {
	now := r.Clock.Now()
	if r.budget.allows(w) {
		return true
	}
	if now.Sub(r.budget.looked) < lookEvery {
		return false
	}
	r.budget.looked = now
	for other, at := range r.budget.held {
		if now.Sub(at) >= slotTimeout {
			ctrl.LoggerFrom(ctx).Info("Rollout does not end, no longer waiting for it", "kind", other.Kind, "namespace", other.Namespace, "name", other.Name)
			r.budget.release(other)
			continue
		}
		obj := other.object()
		err := r.Live.Get(ctx, other.key(), obj)
		if apierrors.IsNotFound(err) || err == nil && !underWay(obj) {
			r.budget.release(other)
		}
	}
	return r.budget.allows(w)
}
