// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

// statusWriters is how many status writes of one tenant are under way at once.
const statusWriters = 4

// errStale says that an object is no longer as the cache showed it.
var errStale = errors.New("the cache has not caught up with the object")

// writeStatus writes the status of every object for which it says something new. It
// returns errStale, once all have been tried, where some changed meanwhile: a status
// made from an old object could take back a newer one, or tell the same news twice.
func (r *Reconciler) writeStatus(ctx context.Context, s *scope) error {
	type verdict struct {
		m  Member
		is *v1alpha1.SecretStatus
	}
	var all []verdict
	for i, d := range s.decisions {
		m := s.members[d.Item.UID]
		o, known := s.setback.outcomeWith(s.laid.Outcomes[i], m.Status)
		if !known {
			continue // a status of an earlier generation says so itself
		}
		is := m.Status.DeepCopy()
		setStatus(is, m.Object.GetGeneration(), m.Item, o)
		is.Value = r.valueStatus(s, valueOf(m), o)
		if !equality.Semantic.DeepEqual(m.Status, is) {
			all = append(all, verdict{m, is})
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

// writeOne writes a status that is not what it was. It is an update and no patch: the API
// server has less to do for it, and takes nothing but the status from it.
func (r *Reconciler) writeOne(ctx context.Context, m Member, is *v1alpha1.SecretStatus, news *news) error {
	was := m.Status.DeepCopy()
	*m.Status = *is
	err := r.Client.Status().Update(ctx, m.Object, FieldOwner)
	if apierrors.IsNotFound(err) {
		return nil // deleted meanwhile
	}
	if apierrors.IsConflict(err) {
		return errStale
	}
	if err != nil {
		return fmt.Errorf("write status of %s %s: %w", r.Adapter.Kind, m.Object.GetName(), err)
	}
	r.announce(m.Object, was.Conditions, is.Conditions, news)
	return nil
}

// valueOf returns what an object's own status says of its value.
func valueOf(m Member) *v1alpha1.ValueStatus {
	if m.Status.ObservedUID != string(m.Item.UID) {
		return nil
	}
	return m.Status.Value
}

// setStatus computes the whole status; it never reads its own condition. Of a status
// that speaks of another object nothing stays.
func setStatus(st *v1alpha1.SecretStatus, generation int64, it bundle.Item, o bundle.Outcome) {
	if st.ObservedUID != string(it.UID) {
		*st = v1alpha1.SecretStatus{ObservedUID: string(it.UID)}
	}
	st.ObservedGeneration = generation
	st.Env, st.File = o.Env, o.File
	switch {
	case o.Env == nil && o.File == nil:
		st.Source = nil
	case !o.Earlier:
		st.Source = it.Source
	}
	st.Claims = it.Record()
	status := metav1.ConditionFalse
	if o.Ready {
		status = metav1.ConditionTrue
	}
	apimeta.SetStatusCondition(&st.Conditions, metav1.Condition{
		Type:               v1alpha1.ConditionReady,
		Status:             status,
		ObservedGeneration: generation,
		Reason:             o.Reason,
		Message:            o.Message,
	})
}
