// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package approval decides what a UserSecret may take from the Secret that its
// valueFrom names. Latchkey reads that Secret with its own rights. So it copies the
// value only for an object with an approval: a digest, with a key that tenants do not
// have, of all that decides where the value goes. Admission and the REST API make
// approvals for callers who may get the Secret. The controller and the projection into
// pods check them every time. Pure: objects in, decisions out.
package approval

import (
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/digest"
)

// An approval is bound to one state of one object, so that it cannot be used again. For
// a stored object, that is its UID and generation: every change of the spec raises the
// generation, and no generation occurs twice. A new object has no UID yet during
// admission. Its approval is bound to the time instead, which must be the time of the
// object's creation; both times come from clocks of the cluster.
const (
	formCreated = "c"
	formUpdated = "u"
)

// skew is the maximum difference between the server's and the API server's clocks,
// including the duration of a creation.
const skew = 5 * time.Minute

// firstGeneration is the generation of every new object.
const firstGeneration = 1

// Valid reports whether u has an approval of its current state. An object without a
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

// sum digests the targets of a source, for an object and its state.
func sum(key digest.Key, u *v1alpha1.UserSecret, state ...string) string {
	source := u.Spec.ValueFrom.SecretKeyRef
	return key.Sum(digest.PurposeApproval, u.Namespace, append(state,
		u.Name, u.SecretName(), source.Name, source.Key, u.Spec.EnvName, u.Spec.FilePath, strconv.FormatBool(u.IsEnabled()))...)
}

// Widens reports whether a source has a use in after that it did not have in before:
// another source, an enabled secret, or another target. A target counts even while the
// secret is disabled, so that a user who enables the secret does not enable a target
// that another user chose.
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
	// After is the object as it will be stored.
	After *v1alpha1.UserSecret
	// Generation is the generation that it will have.
	Generation int64
	// Now is the time.
	Now time.Time
}

// Approve returns the approval for After, or "", and whether the write is allowed. may
// reports whether the author may get the source; it is called only if that matters. An
// approval that is not widened stays valid for any author: disabling a secret, removing
// a target or changing the description needs no right on the source. If the approval is
// missing, any write by an author who may get the source adds it.
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

// Holds reports whether After, as it will be stored, already has an approval. The
// server's own writes are checked in this way, because they include it.
func (c Change) Holds(key digest.Key) bool {
	u := *c.After
	u.Generation = c.Generation
	if c.Before != nil {
		u.UID, u.CreationTimestamp = c.Before.UID, c.Before.CreationTimestamp
	}
	return c.Before != nil && Valid(key, &u)
}
