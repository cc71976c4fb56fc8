// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"errors"
	"sync"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// FieldOwner is the field manager of everything that Latchkey's controllers write.
const FieldOwner = client.FieldOwner("latchkey")

// retryBlocked is when to retry a tenant that a foreign Secret blocks. Foreign Secrets
// are not watched as such. The watch on metadata usually shows their deletion; this is
// the fallback.
const retryBlocked = time.Minute

// soon is when to retry a tenant that waits for the cache or a key, in case the event
// does not arrive.
const soon = 50 * time.Millisecond

// Opener opens sealed values. The keyring is one.
type Opener interface {
	// Open returns the value sealed for the object c.
	Open(ctx context.Context, c seal.Context, text string) (seal.Value, error)
	// Knows reports whether the key that text names exists, without opening text.
	Knows(ctx context.Context, text string) (bool, error)
}

// Versions knows the versions of Secrets.
type Versions interface {
	// Of returns the version of a Secret, or "" if it does not exist. When it changes,
	// its namespace is reconciled.
	Of(ctx context.Context, namespace, name string) (string, error)
	// Keep forgets all Secrets of a namespace except those named.
	Keep(namespace string, names []string)
}

// Reconciler writes the bundles that a tenant's objects ask for.
type Reconciler struct {
	// Adapter is the kind of object.
	Adapter Adapter
	// Client writes, and reads objects and bundles from the cache.
	Client client.Client
	// Sources knows the versions of the Secrets that values come from.
	Sources Versions
	// Live reads from the API server.
	Live client.Reader
	// Opener opens sealed values.
	Opener Opener
	// Events tells users of transitions.
	Events EventRecorder
	// DigestKey is the key of the digests of bundles.
	DigestKey digest.Key
	// DropMissingSources removes a value from the bundles as soon as its source is
	// missing. Otherwise the value stays until its object asks for something else.
	DropMissingSources bool
	// Now returns the time; nil means time.Now.
	Now func() time.Time
	// BeforeWrites, if set, is called before anything is written.
	BeforeWrites func(context.Context)

	memos memos
	stale staleness
	own   ownWrites
	pace  pace
	// blocked has the tenants that a foreign Secret blocked last.
	blocked sync.Map
}

// Reconcile reconciles the tenant, a namespace that req.Name names. If the tenant
// rests, it does so afterwards.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	began := r.now()
	if wait := r.pace.wait(req.Name, began); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	s, err := r.read(ctx, req.Name)
	if errors.Is(err, errBehind) {
		return ctrl.Result{RequeueAfter: soon}, nil // the bundle's event usually comes first
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	if r.BeforeWrites != nil {
		r.BeforeWrites(ctx)
	}
	result, err := r.bring(ctx, s)
	if err == nil && s.wrote { // after an error, the queue decides when to try again
		now := r.now()
		r.pace.wrote(s.namespace, now, now.Sub(began), s.together)
	}
	return result, err
}

// bring reconciles a tenant after its state was read.
func (r *Reconciler) bring(ctx context.Context, s *scope) (ctrl.Result, error) {
	woken := r.memos.woken()
	for _, step := range []func(context.Context, *scope) error{
		r.decide,
		r.know,
		r.plan,
		r.apply,
		// Status is written last, when all else is done, so that Ready never describes
		// what is still to be done. After a crash before it, the next reconcile finds the
		// old status and corrects it.
		r.writeStatus,
	} {
		if err := step(ctx, s); err != nil {
			if namespaceGone(err) {
				r.memos.forget(s.namespace)
				return ctrl.Result{}, nil
			}
			return r.again(s, err)
		}
	}
	r.stale.over(s.namespace)
	if s.memo.waitsForKey() && r.memos.woken() != woken {
		// A key arrived during this reconcile. The event could not wake this tenant,
		// because it was not recorded as waiting yet.
		r.memos.forget(s.namespace)
		return ctrl.Result{RequeueAfter: soon}, nil
	}
	if s.setback == nil || !s.setback.anyBlocked() {
		r.blocked.Delete(s.namespace)
	}
	return r.next(s)
}

// again returns when to reconcile a tenant again after err.
func (r *Reconciler) again(s *scope, err error) (ctrl.Result, error) {
	if errors.Is(err, errStale) {
		return ctrl.Result{RequeueAfter: r.stale.next(s.namespace)}, nil
	}
	r.stale.over(s.namespace)
	return ctrl.Result{}, err
}

// next returns when to reconcile a tenant again if no event comes.
func (r *Reconciler) next(s *scope) (ctrl.Result, error) {
	var wait time.Duration
	if !s.refresh.IsZero() {
		wait = max(s.refresh.Sub(r.now()), time.Millisecond)
	}
	if s.setback != nil {
		retry, err := s.setback.retry(r.now())
		if err != nil {
			return ctrl.Result{}, err
		}
		if wait == 0 || retry < wait {
			wait = retry
		}
	}
	return ctrl.Result{RequeueAfter: wait}, nil
}

// namespaceGone reports whether a write failed only because the tenant is being
// deleted. Nothing has to be done then.
func namespaceGone(err error) bool {
	var gone *goneError
	return errors.As(err, &gone)
}

func (r *Reconciler) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}
