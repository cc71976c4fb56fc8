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

// A bundle that was refused is tried again after retrySoonest, then after twice as
// long, and at last every retryLatest.
const (
	retrySoonest = time.Second
	retryLatest  = 30 * time.Second
)

// patience is how often in a row a write may fail in a way that usually passes by
// itself before objects are told of it.
const patience = 3

// setback is that some bundles of a tenant could not be written. It holds no value.
type setback struct {
	// failures are what became of each such bundle.
	failures map[string]*writeFailure
	// told are the reasons of which an event tells already.
	told map[string]bool
}

// writeFailure is that one bundle could not be written, and what it holds instead.
type writeFailure struct {
	// tries counts the failures in a row to write the same; until is when to try again.
	tries int
	until time.Time
	// outcome is that of objects whose value is not in the bundle, removal that of those
	// whose value is still in it.
	outcome, removal bundle.Outcome
	// blocked: a Secret that we do not own is in the way. It may go at any time.
	blocked bool
	// err, where not nil, says that nothing is known of what the bundle holds, or that
	// it failed in a way that usually passes by itself.
	err error
	// version is the bundle's resourceVersion, or "" where there is none.
	version string
	// entries are the keys that the bundle has: true where the value is the one that it
	// is to be.
	entries map[string]bool
	// wanted are the keys that it is to have.
	wanted map[string]bool
}

// rests reports whether it is too early to try again to write a bundle: nothing
// happened to it since it was tried. What changes it on its way happens to it always.
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

// resting returns the bundles that it is too early to try again to write, if they are to
// hold the same as then; nil where there is none.
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

// versionChanged stands for every version of a bundle that is changed on its way.
const versionChanged = "changed"

func versionOf(secret *corev1.Secret) string {
	if secret == nil {
		return ""
	}
	return secret.ResourceVersion
}

// suffer notes that a bundle could not be written, for cause. It looks at what is
// there: who is to blame, and which objects' values the bundle has nevertheless.
func (r *Reconciler) suffer(ctx context.Context, s *scope, name string, cause error) {
	if s.setback == nil {
		s.setback = &setback{failures: map[string]*writeFailure{}, told: map[string]bool{}}
		if m := s.before; m != nil && m.setback != nil {
			s.setback.told = m.setback.told
		}
	}
	f := &writeFailure{tries: 1, entries: map[string]bool{}, wanted: map[string]bool{}}
	if m := s.before; m != nil && m.setback.failed(name) && m.wanted[name] == s.memo.wanted[name] {
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

// outcomeWith returns what becomes of an object whose outcome would be o, given the
// bundles that could not be written, and false where nothing can be said yet. Was is
// the object's status of before.
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
			continue // it is where it is to be
		}
		_, has := false, false
		if part.had != nil && part.had.SecretName == name {
			_, has = f.entries[part.had.Key]
			has = has && !(part.wants == nil && f.wanted[part.had.Key]) // then it is another's
		}
		if part.wants == nil && !has {
			continue // it is not there, as it is to be
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

// retry returns how a reconcile ends that could not write all bundles: with an error
// where nothing is known, else with the time until the next try.
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

// blockedOnly reports whether a Secret that is not ours is all that is in the way.
func (b *setback) blockedOnly() bool {
	for _, f := range b.failures {
		if !f.blocked {
			return false
		}
	}
	return true
}

// anyBlocked reports whether a Secret that is not ours is in the way of a bundle.
func (b *setback) anyBlocked() bool {
	for _, f := range b.failures {
		if f.blocked {
			return true
		}
	}
	return false
}
