// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package approval judges what a UserSecret may take from the Secret that its
// valueFrom names. Latchkey reads that Secret with rights of its own, so it copies the
// value only for an object that carries an approval: a digest under a key that tenants
// do not have, over all that decides what the source feeds. Admission and the REST API
// make one for callers who may get the Secret; the controller and the projection into
// pods ask for it every time. Pure: objects in, judgements out.
package approval

import (
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/digest"
)

// An approval is bound to one state of one object, so that none can be used a second
// time. For an object that is there, that is its UID and generation: every change of
// the spec raises the generation, and no generation comes twice. A new object has no
// UID yet when admission looks at it. Its approval is bound to the time instead, which
// must be the time of the object's creation; both are told by a clock of the cluster.
const (
	formCreated = "c"
	formUpdated = "u"
)

// skew is how far the server's clock may be from the API server's, the time that a
// creation takes included.
const skew = 5 * time.Minute

// firstGeneration is that of every new object.
const firstGeneration = 1

// Valid reports whether u carries an approval of what it is now. An object without a
// source needs none and has none.
func Valid(key digest.Key, u *v1alpha1.UserSecret) bool {
	text := u.Annotations[v1alpha1.AnnotationSourceApproval]
	if u.Spec.ValueFrom == nil || text == "" {
		return false
	}
	form, rest, _ := strings.Cut(text, ".")
	switch form {
	case formUpdated:
		return u.UID != "" && digest.Equal(text, updated(key, u, u.Generation))
	case formCreated:
		made, _, _ := strings.Cut(rest, ".")
		seconds, err := strconv.ParseInt(made, 10, 64)
		if err != nil || u.Generation != firstGeneration {
			return false
		}
		off := u.CreationTimestamp.Sub(time.Unix(seconds, 0))
		return off.Abs() <= skew && digest.Equal(text, created(key, u, seconds))
	}
	return false
}

func updated(key digest.Key, u *v1alpha1.UserSecret, generation int64) string {
	return formUpdated + "." + sum(key, u, formUpdated, string(u.UID), strconv.FormatInt(generation, 10))
}

func created(key digest.Key, u *v1alpha1.UserSecret, seconds int64) string {
	made := strconv.FormatInt(seconds, 10)
	return formCreated + "." + made + "." + sum(key, u, formCreated, made)
}

// sum digests what a source feeds, in the object and state that are named.
func sum(key digest.Key, u *v1alpha1.UserSecret, state ...string) string {
	source := u.Spec.ValueFrom.SecretKeyRef
	return key.Sum(digest.PurposeApproval, u.Namespace, append(state,
		u.Name, u.SecretName(), source.Name, source.Key, u.Spec.EnvName, u.Spec.FilePath, strconv.FormatBool(u.IsEnabled()))...)
}

// Widens reports whether a source feeds something in after that it did not feed in
// before: it is another source, is turned on, or has another target. A target counts
// while the secret is disabled too, so that whoever turns it on again does not turn on
// somebody else's choice.
func Widens(before, after *v1alpha1.UserSecret) bool {
	if after.Spec.ValueFrom == nil {
		return false
	}
	added := func(was, is string) bool { return is != "" && is != was }
	return before.Spec.ValueFrom == nil || *before.Spec.ValueFrom != *after.Spec.ValueFrom ||
		after.IsEnabled() && !before.IsEnabled() ||
		before.SecretName() != after.SecretName() ||
		added(before.Spec.EnvName, after.Spec.EnvName) || added(before.Spec.FilePath, after.Spec.FilePath)
}

// Change is a write of a UserSecret.
type Change struct {
	// Before is the stored object; nil for a new one.
	Before *v1alpha1.UserSecret
	// After is the object as it is to be stored.
	After *v1alpha1.UserSecret
	// Generation is the generation that it will have.
	Generation int64
	// Now is the time.
	Now time.Time
}

// Approve returns the approval for After, "" where it gets none, and whether the write
// may happen at all. May reports whether its author may get the source; it is asked
// only where that matters. What was approved and is not widened stays approved,
// whoever writes: to disable a secret, to take a target from it or to describe it needs
// no right on its source. Where the approval is missing, any write by somebody who may
// get the source makes it good.
func (c Change) Approve(key digest.Key, may func() (bool, error)) (text string, ok bool, err error) {
	if c.After.Spec.ValueFrom == nil {
		return "", true, nil
	}
	widens := c.Before == nil || Widens(c.Before, c.After)
	if !widens && Valid(key, c.Before) {
		if c.Generation == c.Before.Generation {
			return c.Before.Annotations[v1alpha1.AnnotationSourceApproval], true, nil
		}
		return c.text(key), true, nil
	}
	allowed, err := may()
	if err != nil {
		return "", false, err
	}
	if allowed {
		return c.text(key), true, nil
	}
	return "", !widens, nil
}

func (c Change) text(key digest.Key) string {
	if c.Before == nil {
		return created(key, c.After, c.Now.Unix())
	}
	u := *c.After
	u.UID = c.Before.UID
	return updated(key, &u, c.Generation)
}

// Holds reports whether After, as it is to be stored, carries an approval already. So
// the server's own writes are judged, which bring theirs along.
func (c Change) Holds(key digest.Key) bool {
	u := *c.After
	u.Generation = c.Generation
	if c.Before != nil {
		u.UID, u.CreationTimestamp = c.Before.UID, c.Before.CreationTimestamp
	}
	return c.Before != nil && Valid(key, &u)
}
