// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
)

// lookEvery is the interval at which current rollouts are checked while a workload
// waits for a place.
const lookEvery = time.Second

// turns is the queue's item for assigning free places.
var turns = Workload{}

// takeTurns gives free places to the workloads whose turn it is, and enqueues them.
func (r *Reconciler) takeTurns(ctx context.Context) ctrl.Result {
	if r.line.empty() {
		return ctrl.Result{}
	}
	now := r.Clock.Now()
	r.makeRoom(ctx, now)
	r.line.forget(now.Add(-2 * r.Options.Timeout))
	for free, held := r.places.free(); ; free-- {
		w, ok := r.line.next(held, free, now)
		if !ok {
			break
		}
		held[w.Namespace]++
		r.places.take(w, now)
		r.Wake(w)
	}
	if r.line.empty() {
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: lookEvery}
}

// makeRoom releases the places of rollouts that are complete or took too long.
func (r *Reconciler) makeRoom(ctx context.Context, now time.Time) {
	for _, w := range r.places.expire(now) {
		ctrl.LoggerFrom(ctx).Info("Rollout did not complete in time, no longer counting it", "kind", w.Kind, "namespace", w.Namespace, "name", w.Name)
	}
	if now.Sub(r.looked) < lookEvery {
		return
	}
	r.looked = now
	for _, w := range r.places.used() {
		obj := w.object()
		err := r.Live.Get(ctx, w.key(), obj)
		if apierrors.IsNotFound(err) || err == nil && !underWay(obj) {
			r.places.release(w)
		}
	}
}
