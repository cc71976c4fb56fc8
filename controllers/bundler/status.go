// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

// statusWriters is the number of concurrent status writes of one tenant.
const statusWriters = 4

// errStale reports that an object has changed since the cache showed it.
var errStale = errors.New("the cache has not caught up with the object")

// writeStatus writes the status of every object whose status changes. If some objects
// were changed in the meantime, it returns errStale after all were tried: a status made
// from an old object could overwrite a newer one, or report a transition twice.
func (r *Reconciler) writeStatus(ctx context.Context, s *scope) error {
	type verdict struct {
		m  *Member
		is *v1alpha1.SecretStatus
	}
	var all []verdict
	var is v1alpha1.SecretStatus // of one object after another, with the same memory
	for i := range s.decisions {
		m := s.members[s.decisions[i].Item.UID]
		o, known := s.setback.outcomeWith(s.laid.Outcomes[i], m.Status)
		if !known {
			continue // the status says itself that it describes an earlier generation
		}
		conditions, claims := is.Conditions[:0], is.Claims[:0]
		is = *m.Status
		is.Conditions, is.Claims = append(conditions, is.Conditions...), claims
		setStatus(&is, m.Object.GetGeneration(), m.Item, o)
		is.Value = r.valueStatus(s, valueOf(m), o)
		if !identical(m.Status, &is) && !equality.Semantic.DeepEqual(m.Status, &is) {
			all = append(all, verdict{m, is.DeepCopy()})
		}
	}
	s.wrote, s.together = s.wrote || len(all) > 0, max(s.together, len(all))
	news := newsOf(s.setback)
	var group errgroup.Group
	group.SetLimit(statusWriters)
	for _, v := range all {
		group.Go(func() error { return r.writeOne(ctx, v.m, v.is, news) })
	}
	return group.Wait()
}

// writeOne writes a changed status. It uses an update instead of a patch: that is less
// work for the API server, which takes only the status from it.
func (r *Reconciler) writeOne(ctx context.Context, m *Member, is *v1alpha1.SecretStatus, news *news) error {
	obj := m.with(is)
	err := r.Client.Status().Update(ctx, obj, FieldOwner)
	if apierrors.IsNotFound(err) {
		return nil // deleted in the meantime
	}
	if apierrors.IsConflict(err) {
		return errStale
	}
	if err != nil {
		return fmt.Errorf("write status of %s %s: %w", r.Adapter.Kind, m.Object.GetName(), err)
	}
	r.announce(obj, m.Status.Conditions, is.Conditions, news)
	return nil
}

// identical reports whether two statuses are the same to the last bit. It costs much less
// than comparing what they mean, and nearly all objects of a large tenant keep their status.
func identical(a, b *v1alpha1.SecretStatus) bool {
	return a.ObservedGeneration == b.ObservedGeneration && a.ObservedUID == b.ObservedUID &&
		slices.Equal(a.Conditions, b.Conditions) && slices.Equal(a.Claims, b.Claims) &&
		same(a.Env, b.Env) && same(a.File, b.File) && same(a.Source, b.Source) && same(a.Value, b.Value)
}

func same[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

// valueOf returns the value status that the object has.
func valueOf(m *Member) *v1alpha1.ValueStatus {
	if m.Status.ObservedUID != string(m.Item.UID) {
		return nil
	}
	return m.Status.Value
}

// maxMessage is the longest message that the API server accepts in a condition. A value
// with many faults deep in its type can have a longer one, and the object would have no
// status.
const maxMessage = 32 << 10

// setStatus computes the whole status and never reads its own condition. It discards a
// status that describes another object. It overwrites the lists of the status.
func setStatus(st *v1alpha1.SecretStatus, generation int64, it bundle.Item, o bundle.Outcome) {
	if st.ObservedUID != string(it.UID) {
		*st = v1alpha1.SecretStatus{ObservedUID: string(it.UID), Claims: st.Claims[:0], Conditions: st.Conditions[:0]}
	}
	st.ObservedGeneration = generation
	st.Env, st.File = o.Env, o.File
	switch {
	case o.Env == nil && o.File == nil:
		st.Source = nil
	case !o.Earlier:
		st.Source = it.Source
	}
	st.Claims = it.AppendRecord(st.Claims[:0])
	status := metav1.ConditionFalse
	if o.Ready {
		status = metav1.ConditionTrue
	}
	apimeta.SetStatusCondition(&st.Conditions, metav1.Condition{
		Type:               v1alpha1.ConditionReady,
		Status:             status,
		ObservedGeneration: generation,
		Reason:             o.Reason,
		Message:            bounded(o.Message, maxMessage),
	})
}
