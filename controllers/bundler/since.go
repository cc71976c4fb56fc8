// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

// When a value changed is in two places, since the write that carries it cannot know
// when it will be acknowledged. The bundle's record says when the write was sent, for
// each entry, and comes and goes with the entry itself. status.value.changedAt says when
// it was acknowledged. It is written after the bundle, so it can be missing or speak of an
// earlier value, after a crash or a lost update: then it is before the time in the record,
// which is always after every changedAt that the tenant had. That comparison alone says
// whether it stays. Nothing that Latchkey concludes is read back from a status, and one
// that is lost or older is made up for by the time at which that is seen: too late, never
// too early. A reader that relies on changedAt then waits for longer than it has to.

// sentAt returns the time for writes that are about to be sent: now, but after all that
// the tenant's objects say, which a leader with another clock may have written.
func (r *Reconciler) sentAt(s *scope) time.Time {
	now := r.now().UTC().Truncate(time.Microsecond)
	for _, m := range s.members {
		if v := valueOf(m); v != nil && v.ChangedAt != nil && !v.ChangedAt.Time.Before(now) {
			now = v.ChangedAt.UTC().Truncate(time.Microsecond).Add(time.Microsecond)
		}
	}
	return now
}

// valueStatus returns what a status that said was is to say of a value that landed as o
// says.
func (r *Reconciler) valueStatus(s *scope, was *v1alpha1.ValueStatus, o bundle.Outcome) *v1alpha1.ValueStatus {
	if o.Env == nil && o.File == nil {
		return nil
	}
	var since time.Time
	for _, at := range []*v1alpha1.Landing{o.Env, o.File} {
		if at == nil {
			continue
		}
		if s.setback.failed(at.SecretName) {
			return was // it is what was there before
		}
		made, ok := s.plans[at.SecretName].record.Recorded().Get(at.Key)
		if !ok {
			return nil // more than are written down
		}
		if made.Since.After(since) {
			since = made.Since
		}
	}
	if was != nil && was.ChangedAt != nil && !was.ChangedAt.Time.Before(since) {
		return was
	}
	now := metav1.NewMicroTime(r.sentAt(s))
	return &v1alpha1.ValueStatus{ChangedAt: &now}
}
