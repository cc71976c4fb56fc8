// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/controllers/bundler"
	"github.com/latchkey-dev/latchkey/internal/digest"
)

const (
	// minAge is how old a workload is before its first digest is recorded. One manifest
	// may create a workload and its secrets at the same moment, and no container runs
	// that early.
	minAge = time.Second
	// retry is when to check a workload again whose current state the cache does not
	// show yet.
	retry = 2 * time.Second
	// again is when to check a workload again that was changed while it was to be
	// written, as happens often while its pods start.
	again = 100 * time.Millisecond
)

// Options are the user's choices.
type Options struct {
	// Enabled allows restarts.
	Enabled bool
	// Delay is how long changes are collected before a restart.
	Delay time.Duration
	// MinInterval is the minimum time between two restarts of a workload.
	MinInterval time.Duration
	// MaxConcurrent is the maximum number of concurrent rollouts that Latchkey started.
	MaxConcurrent int
	// Timeout is how long a rollout counts at most, so that one which never ends does
	// not block others.
	Timeout time.Duration
}

// Reconciler restarts workloads. It is used by one worker and is not safe for more;
// only TakeOver may be called by others.
type Reconciler struct {
	// Bundles reads bundles from the cache.
	Bundles client.Reader
	// DigestKey is the key of the digests of content.
	DigestKey digest.Key
	// Workloads reads the metadata of workloads from a cache.
	Workloads client.Reader
	// Live reads and writes workloads and the record at the API server.
	Live client.Client
	// Namespace is Latchkey's own, where the record is.
	Namespace string
	// Wake enqueues a workload with a higher priority than those that only changed.
	Wake func(Workload)
	// Events tells users of restarts.
	Events EventRecorder
	// Clock tells the time.
	Clock clock.PassiveClock
	// Options are the user's choices.
	Options Options

	takeOver takeOver
	recalled bool
	memory   memory
	line     line
	places   places
	// looked is when the current rollouts were last checked.
	looked time.Time
	pace   pace
}

// Reconcile reconciles one workload with its tenant's bundles.
func (r *Reconciler) Reconcile(ctx context.Context, w Workload) (ctrl.Result, error) {
	if err := r.TakeOver(ctx); err != nil {
		return ctrl.Result{}, err
	}
	if err := r.recall(ctx); err != nil {
		return ctrl.Result{}, err
	}
	switch w {
	case turns:
		return r.takeTurns(ctx), nil
	case recordGone:
		return ctrl.Result{}, r.record(ctx, r.Clock.Now())
	}
	result, err := r.look(ctx, w)
	if err != nil || result == (ctrl.Result{}) {
		r.places.giveBack(w)
	}
	return result, err
}

// look compares one workload with its tenant's bundles.
func (r *Reconciler) look(ctx context.Context, w Workload) (ctrl.Result, error) {
	m := meta(w.Kind)
	err := r.Workloads.Get(ctx, w.key(), m)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("get metadata of %s: %w", w.Kind, err)
	}
	if err != nil || !wantsRestarts(m) {
		r.memory.forget(w)
		r.line.leave(w)
		r.pace.forget(w)
		return ctrl.Result{}, nil
	}
	want, err := r.contentHash(ctx, w.Namespace)
	if err != nil {
		return ctrl.Result{}, err
	}
	switch cmp.Or(m.Annotations[AnnotationContentHash], r.memory.written(w, m.UID)) {
	case want:
		r.inStep(w)
		return ctrl.Result{}, nil
	case "":
		return r.begin(ctx, w, m, want)
	default:
		return r.change(ctx, w, m.UID, want)
	}
}

// inStep records that a workload is up to date.
func (r *Reconciler) inStep(w Workload) {
	r.memory.inStep(w)
	r.line.leave(w)
}

// begin records the first digest of a workload: from now on, changes count.
func (r *Reconciler) begin(ctx context.Context, w Workload, m *metav1.PartialObjectMetadata, want string) (ctrl.Result, error) {
	now := r.Clock.Now()
	if age := now.Sub(m.CreationTimestamp.Time); age >= 0 && age < minAge {
		return ctrl.Result{RequeueAfter: minAge - age}, nil
	}
	want = r.memory.begun(w, m.UID, want)
	if early := r.pace.wait(w, now); early > 0 {
		return ctrl.Result{RequeueAfter: early}, nil
	}
	obj, err := r.live(ctx, w, m.UID)
	if obj == nil || err != nil {
		return ctrl.Result{}, err
	}
	tmpl, err := template(obj)
	if err != nil {
		return ctrl.Result{}, err
	}
	if has := cmp.Or(obj.GetAnnotations()[AnnotationContentHash], tmpl.Annotations[AnnotationContentHash]); has != "" {
		r.wrote(w, m.UID, has)
		return ctrl.Result{RequeueAfter: retry}, nil
	}
	_, result, err := r.write(ctx, w, obj, noted(want), want)
	return result, err
}

// change restarts the workload when it is time.
func (r *Reconciler) change(ctx context.Context, w Workload, uid types.UID, want string) (ctrl.Result, error) {
	now := r.Clock.Now()
	// The workload got an older digest back, with or without an older template. The
	// pods that were started since have the content that this process restarted them
	// for.
	known := r.memory.written(w, uid) == want
	if early := r.early(w, known, now); early > 0 {
		return ctrl.Result{RequeueAfter: early}, nil
	}
	if !known && !r.places.has(w, now) {
		r.line.join(w)
		r.Wake(turns)
		return ctrl.Result{}, nil
	}
	if early := r.pace.wait(w, now); early > 0 {
		return ctrl.Result{RequeueAfter: early}, nil
	}
	obj, err := r.live(ctx, w, uid)
	if obj == nil || err != nil {
		return ctrl.Result{}, err
	}
	if obj.GetAnnotations()[AnnotationContentHash] == want { // the cache is behind
		r.inStep(w)
		return ctrl.Result{}, nil
	}
	tmpl, err := template(obj)
	if err != nil {
		return ctrl.Result{}, err
	}
	if known || tmpl.Annotations[AnnotationContentHash] == want {
		_, result, err := r.write(ctx, w, obj, noted(want), want)
		return result, err
	}
	done, result, err := r.write(ctx, w, obj, rolled(want, now), want)
	if err != nil {
		restarts.WithLabelValues(w.Kind, "error").Inc()
		return result, err
	}
	if done {
		r.restarted(ctx, w, obj, now)
	}
	return result, nil
}

// early returns how long it is until an outdated workload may be written.
func (r *Reconciler) early(w Workload, known bool, now time.Time) time.Duration {
	early := r.Options.Delay - now.Sub(r.memory.dueSince(w, now))
	if !known { // it will be restarted
		early = max(early, r.memory.early(w, now, r.Options.MinInterval))
	}
	return early
}

// restarted records that a workload was restarted.
func (r *Reconciler) restarted(ctx context.Context, w Workload, obj client.Object, now time.Time) {
	log := ctrl.LoggerFrom(ctx)
	restarts.WithLabelValues(w.Kind, "ok").Inc()
	r.places.use(w)
	r.memory.restarted(w, now)
	r.announce(obj)
	log.Info("Restarted a workload because its secrets changed", "kind", w.Kind, "namespace", w.Namespace, "name", w.Name)
	if err := r.record(ctx, now); err != nil {
		log.Error(err, "Cannot record which workloads were restarted recently")
	}
}

// live reads the workload from the API server. It returns nil if it is not the one in
// the cache, or has opted out. An event for that follows.
func (r *Reconciler) live(ctx context.Context, w Workload, uid types.UID) (client.Object, error) {
	obj := w.object()
	err := r.Live.Get(ctx, w.key(), obj)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get %s: %w", w.Kind, err)
	case obj.GetUID() != uid || !wantsRestarts(obj):
		return nil, nil
	}
	return obj, nil
}

// write patches the object as it was read. It reports whether that succeeded; if not,
// the object has changed since and must be checked again.
func (r *Reconciler) write(ctx context.Context, w Workload, obj client.Object, change patch, want string) (done bool, result ctrl.Result, err error) {
	data, err := change.on(obj)
	if err != nil {
		return false, ctrl.Result{}, err
	}
	err = r.Live.Patch(ctx, obj, client.RawPatch(types.MergePatchType, data), bundler.FieldOwner)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return false, ctrl.Result{RequeueAfter: again}, nil
	}
	if err != nil {
		return false, ctrl.Result{}, fmt.Errorf("patch %s: %w", w.Kind, err)
	}
	r.wrote(w, obj.GetUID(), want)
	return true, ctrl.Result{}, nil
}

// wrote records the digest that a workload has now.
func (r *Reconciler) wrote(w Workload, uid types.UID, hash string) {
	r.memory.wrote(w, uid, hash)
	r.line.leave(w)
}
