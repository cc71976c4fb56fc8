// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

// The time of a value's change is stored in two places, because the write that carries
// the value cannot know when it will be acknowledged. The bundle's record has, for each
// entry, the time when the write was sent; it appears and disappears with the entry.
// status.value.changedAt has the time when the write was acknowledged.
//
// The status is written after the bundle. After a crash or a lost update it can be
// missing or describe an earlier value. Then it is before the time in the record, which
// is always after every changedAt that the tenant had. Only this comparison decides
// whether changedAt stays. Latchkey reads none of its conclusions back from a status. A
// lost or outdated changedAt is replaced with the time at which that is noticed: too
// late, but never too early. A reader that relies on changedAt then waits longer than
// necessary.

// sentAt returns the time for the writes that follow: now, or later if the tenant's
// objects have later times, which a leader with another clock may have written.
func (r *Reconciler) sentAt(s *scope) time.Time {
	now := r.now().UTC().Truncate(time.Microsecond)
	for _, m := range s.members {
		if v := valueOf(m); v != nil && v.ChangedAt != nil && !v.ChangedAt.Time.Before(now) {
			now = v.ChangedAt.UTC().Truncate(time.Microsecond).Add(time.Microsecond)
		}
	}
	return now
}

// valueStatus returns the value status for an object with outcome o whose last one was
// was.
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
			return was // the value has not changed
		}
		made, ok := s.plans[at.SecretName].record.Recorded().Get(at.Key)
		if !ok {
			return nil // more objects than the record has room for
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
