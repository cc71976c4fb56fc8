// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

// A refused bundle is tried again after retrySoonest. The pause doubles with each
// failure, up to retryLatest.
const (
	retrySoonest = time.Second
	retryLatest  = 30 * time.Second
)

// patience is the number of consecutive failures of a usually transient kind before
// objects report them.
const patience = 3

// setback describes the bundles of a tenant that could not be written. It holds no
// value.
type setback struct {
	// failures has the failed bundles.
	failures map[string]*writeFailure
	// told has the reasons that an event has reported already.
	told map[string]bool
}

// writeFailure describes why a bundle could not be written and what it contains
// instead.
type writeFailure struct {
	// tries counts the consecutive failures to write the same content; until is when to
	// try again.
	tries int
	until time.Time
	// outcome is for objects whose value is not in the bundle, removal for those whose
	// value could not be removed from it.
	outcome, removal bundle.Outcome
	// blocked is true if a foreign Secret is in the way. It may be deleted at any time.
	blocked bool
	// err is set if the content of the bundle is unknown, or if the failure is of a
	// kind that is usually transient.
	err error
	// version is the bundle's resourceVersion, or "" if it does not exist.
	version string
	// entries are the keys in the bundle: true if the value is the intended one.
	entries map[string]bool
	// wanted are the keys that the bundle should have.
	wanted map[string]bool
}

// rests reports whether it is too early to write a bundle again, because it did not
// change since the last try. A bundle that is changed while it is stored changes every
// time, so its version does not count.
func (b *setback) rests(name string, existing *corev1.Secret, now time.Time) bool {
	if !b.failed(name) {
		return false
	}
	f := b.failures[name]
	if f.err != nil || !now.Before(f.until) {
		return false
	}
	return f.version == versionChanged || f.version == versionOf(existing)
}

// resting returns the bundles that it is too early to write again, if their intended
// content is the same as at the last try. It returns nil if there are none.
func (r *Reconciler) resting(s *scope) *setback {
	if s.before == nil || s.before.setback == nil {
		return nil
	}
	was := s.before.setback
	var out *setback
	for _, name := range r.Adapter.bundles() {
		if s.before.wanted[name] != r.wanted(s, name) || !was.rests(name, s.existing[name], r.now()) {
			continue
		}
		if out == nil {
			out = &setback{failures: map[string]*writeFailure{}, told: was.told}
		}
		out.failures[name] = was.failures[name]
	}
	return out
}

// failed reports whether a bundle could not be written.
func (b *setback) failed(name string) bool { return b != nil && b.failures[name] != nil }

// versionChanged stands for every version of a bundle that is changed while it is
// stored.
const versionChanged = "changed"

func versionOf(secret *corev1.Secret) string {
	if secret == nil {
		return ""
	}
	return secret.ResourceVersion
}

// suffer records that a bundle could not be written because of cause. It reads the
// bundle to find out what blocks it, and which values it contains nevertheless.
func (r *Reconciler) suffer(ctx context.Context, s *scope, name string, cause error) {
	if s.setback == nil {
		s.setback = &setback{failures: map[string]*writeFailure{}, told: map[string]bool{}}
		if m := s.before; m != nil && m.setback != nil {
			s.setback.told = m.setback.told
		}
	}
	f := &writeFailure{tries: 1, entries: map[string]bool{}, wanted: map[string]bool{}}
	if m := s.before; m != nil && m.setback.failed(name) && m.wanted[name] == r.wanted(s, name) {
		f.tries = m.setback.failures[name].tries + 1
	}
	f.until = r.now().Add(min(retrySoonest<<min(f.tries-1, 10), retryLatest))
	s.setback.failures[name] = f
	live := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, live)
	if client.IgnoreNotFound(err) != nil {
		f.err = fmt.Errorf("get bundle %s: %w", name, withoutBody(err))
		return
	}
	f.version = live.ResourceVersion
	for key, d := range s.plans[name].entries {
		f.wanted[key] = true
		if b, has := live.Data[key]; has {
			f.entries[key] = d == bundle.EntryDigest(r.DigestKey, s.namespace, name, key, b)
		}
	}
	for key := range live.Data {
		f.entries[key] = f.entries[key] && f.wanted[key]
	}
	answer := answerOf(cause)
	f.outcome, f.removal = bundle.Refused(name, answer), bundle.RefusedRemoval(name, answer)
	switch {
	case err == nil && live.Type != v1alpha1.SecretTypeBundle:
		f.outcome, f.blocked, f.entries = bundle.Blocked(name), true, nil
		r.blocked.Store(s.namespace, true)
	case live.Immutable != nil && *live.Immutable:
		f.outcome, f.removal, f.blocked = bundle.Immutable(name), bundle.Immutable(name), true
	case errors.Is(cause, errChanged):
		f.version = versionChanged
	case passing(cause) && f.tries < patience, !answered(cause):
		f.err = fmt.Errorf("write bundle %s: %w", name, withoutBody(cause))
	}
}

// outcomeWith returns the outcome of an object that would be o if all bundles were
// written, and false if nothing is known yet. was is the object's status before.
func (b *setback) outcomeWith(o bundle.Outcome, was *v1alpha1.SecretStatus) (bundle.Outcome, bool) {
	if b == nil {
		return o, true
	}
	out, known := o, true
	for _, part := range []struct {
		wants, had *v1alpha1.Landing
		lands      **v1alpha1.Landing
	}{{o.Env, was.Env, &out.Env}, {o.File, was.File, &out.File}} {
		name := ""
		switch {
		case part.wants != nil:
			name = part.wants.SecretName
		case part.had != nil:
			name = part.had.SecretName
		}
		f := b.failures[name]
		if f == nil || part.wants != nil && f.entries[part.wants.Key] {
			continue // the value is where it should be
		}
		has := false
		if part.had != nil && part.had.SecretName == name {
			_, there := f.entries[part.had.Key]
			has = there && (part.wants != nil || !f.wanted[part.had.Key]) // else the key belongs to another object now
		}
		if part.wants == nil && !has {
			continue // the value is absent, as it should be
		}
		if f.err != nil {
			known = false
			continue
		}
		verdict := f.outcome
		if part.wants == nil {
			verdict = f.removal
		}
		out.Ready, out.Reason, out.Message = false, verdict.Reason, verdict.Message
		*part.lands = nil
		if has {
			*part.lands, out.Earlier = part.had, true
		}
	}
	return out, known
}

// retry returns how a reconcile ends that could not write all bundles: with an error if
// their content is unknown, else with the time until the next try.
func (b *setback) retry(now time.Time) (time.Duration, error) {
	var errs []error
	for _, f := range b.failures {
		errs = append(errs, f.err)
	}
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	if b.blockedOnly() {
		return retryBlocked, nil
	}
	wait := retryBlocked
	for _, f := range b.failures {
		if !f.blocked {
			wait = min(wait, f.until.Sub(now))
		}
	}
	return max(wait, time.Millisecond), nil
}

// blockedOnly reports whether all failures are due to foreign Secrets.
func (b *setback) blockedOnly() bool {
	for _, f := range b.failures {
		if !f.blocked {
			return false
		}
	}
	return true
}

// anyBlocked reports whether a foreign Secret blocks a bundle.
func (b *setback) anyBlocked() bool {
	for _, f := range b.failures {
		if f.blocked {
			return true
		}
	}
	return false
}
