// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"errors"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/digest"
)

// refreshAfter is how long a bundle's record may be outdated while its content is
// right, as after an object was sealed again or a source was written with the same
// value. So a rotation of the keys costs one or few writes for each bundle. A restart
// before that opens such values once.
const refreshAfter = 10 * time.Second

// applied is what became of one bundle.
type applied struct {
	// wrote is true if a request that can change something was sent, and together is the
	// number of changes in it.
	wrote    bool
	together int
	// newer is a record that is newer, or longer, than the one on the bundle, or nil; refresh
	// is when the bundle must get it, or zero.
	newer   *newerRecord
	refresh time.Time
	err     error
}

// apply writes the bundles as planned, at the same time: no bundle depends on another, and
// status is written after both. If one cannot be written, the other still is.
func (r *Reconciler) apply(ctx context.Context, s *scope) error {
	s.memo = &memo{known: map[types.UID]knowledge{}, records: map[string]newerRecord{}, wanted: map[string]digest.Short{}}
	names := r.Adapter.bundles()
	results := make([]applied, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		if p := s.plans[name]; p != nil { // otherwise it is too early to try again
			group.Go(func() { results[i] = r.applyOne(ctx, s, name, p) })
		}
	}
	group.Wait()
	for i, name := range names {
		a := results[i]
		if namespaceGone(a.err) {
			return a.err
		}
		s.wrote, s.together = s.wrote || a.wrote, max(s.together, a.together)
		if a.newer != nil {
			s.memo.records[name] = *a.newer
		}
		if !a.refresh.IsZero() {
			s.refresh, s.memo.stale = a.refresh, r.staleSince(s)
		}
		if a.err != nil {
			r.suffer(ctx, s, name, a.err)
			ctrl.LoggerFrom(ctx).Info("Cannot write a bundle", "secret", name, "answer", answerOf(a.err), "blocked", s.setback.failures[name].blocked)
		}
	}
	r.remember(s)
	return nil
}

func (r *Reconciler) applyOne(ctx context.Context, s *scope, name string, p *plan) applied {
	existing := s.existing[name]
	c := r.changeOf(s, name, p)
	switch {
	case len(p.entries) == 0 && existing == nil:
		return applied{}
	case len(p.entries) == 0:
		return applied{wrote: true, err: r.remove(ctx, existing)}
	case !c.empty():
		return r.write(ctx, s, name, p, c)
	}
	text := existing.Annotations[v1alpha1.AnnotationRecord]
	if text == p.text {
		return applied{newer: longer(p)}
	}
	if due := r.staleSince(s).Add(refreshAfter); r.now().Before(due) {
		return applied{refresh: due, newer: &newerRecord{follows: text, record: p.record}}
	}
	return r.write(ctx, s, name, p, c)
}

// staleSince returns when the tenant's records became outdated.
func (r *Reconciler) staleSince(s *scope) time.Time {
	if s.before != nil && !s.before.stale.IsZero() {
		return s.before.stale
	}
	return r.now()
}

// longer returns the record of a written bundle if it is too long for the annotation.
func longer(p *plan) *newerRecord {
	if p.record.Whole() {
		return nil
	}
	return &newerRecord{follows: p.text, record: p.record}
}

// remember stores in the memo what the bundles do not say.
func (r *Reconciler) remember(s *scope) {
	for i := range s.decisions {
		uid := s.decisions[i].Item.UID
		known, ok := s.known[uid]
		if !ok {
			continue
		}
		o := s.laid.Outcomes[i]
		if known.Failure != nil || s.setback != nil || o.Env == nil && o.File == nil {
			s.memo.known[uid] = knowledge{input: s.inputs[uid], known: known}
		}
	}
	if s.setback != nil && !s.setback.blockedOnly() { // otherwise the next reconcile tries again, whatever caused it
		s.memo.setback = s.setback
		for _, name := range r.Adapter.bundles() {
			s.memo.wanted[name] = r.wanted(s, name)
		}
	}
	r.memos.put(s.namespace, s.memo)
}

// change is what has to be written to a bundle.
type change struct {
	// drop are the keys to remove.
	drop []string
	// content is true if values are missing, or an annotation or label is wrong.
	content bool
}

func (c change) empty() bool { return len(c.drop) == 0 && !c.content }

// changeOf compares a bundle as cached with its plan. An outdated record alone is no
// change.
func (r *Reconciler) changeOf(s *scope, name string, p *plan) change {
	existing := s.existing[name]
	if existing == nil {
		return change{content: len(p.entries) > 0}
	}
	c := change{content: len(p.values) > 0 ||
		existing.Annotations[v1alpha1.AnnotationMAC] != p.mac ||
		existing.Annotations[v1alpha1.AnnotationLayout] != p.layout ||
		existing.Labels[v1alpha1.LabelBundle] != r.Adapter.Name ||
		!s.records[name].Valid()}
	if _, has := existing.Annotations[v1alpha1.AnnotationLayout]; has && p.layout == "" {
		c.content = true
	}
	for key := range existing.StringData {
		if _, wanted := p.entries[key]; !wanted && key != cachedMAC {
			c.drop = append(c.drop, key)
		}
	}
	return c
}

// goneError is a write that failed because its namespace is being deleted.
type goneError struct{ err error }

func (e *goneError) Error() string { return e.err.Error() }
func (e *goneError) Unwrap() error { return e.err }

func terminating(err error) error {
	var answer apierrors.APIStatus
	gone := apierrors.IsNotFound(err) && errors.As(err, &answer) &&
		answer.Status().Details != nil && answer.Status().Details.Kind == "namespaces"
	if gone || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return &goneError{err: err}
	}
	return err
}
