// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
)

// Outcome is the result for one object: its Ready condition and where its value is
// projected.
type Outcome struct {
	// Ready is the condition's status.
	Ready bool
	// Reason is one of the constants of package v1alpha1.
	Reason string
	// Message describes the result and what to do. It never contains a value.
	Message string
	// Env and File are where the value is projected; nil if it is not.
	Env, File *v1alpha1.Landing
	// Earlier reports that Env or File has an earlier value, because a bundle could not
	// be written.
	Earlier bool
}

// failed returns the outcome of an object that is not projected.
func failed(reason, message string) Outcome { return Outcome{Reason: reason, Message: message} }

// Unsealable is the outcome of a value that cannot be opened.
func Unsealable() Outcome {
	return failed(v1alpha1.ReasonUnsealable, "sealedValue does not open: it was sealed for another object or was altered; seal the value again for this kind, namespace and name")
}

// KeyNotFound is the outcome of a value whose sealing key does not exist.
func KeyNotFound(keyID string) Outcome {
	return failed(v1alpha1.ReasonKeyNotFound, fmt.Sprintf("sealedValue needs sealing key %s, which does not exist: restore that key, or set the value again", keyID))
}

// SourceNotFound is the outcome of a source that does not exist.
func SourceNotFound(ref v1alpha1.SecretKeyRef, keyMissing bool) Outcome {
	if keyMissing {
		return failed(v1alpha1.ReasonSourceNotFound, fmt.Sprintf("Secret %s has no key %s: add it, or change valueFrom", ref.Name, ref.Key))
	}
	return failed(v1alpha1.ReasonSourceNotFound, fmt.Sprintf("Secret %s does not exist in this namespace: create it, or change valueFrom", ref.Name))
}

// notAVariable returns the outcome of an object whose value can be a file but not a
// variable. If the variable is only derived from the path, nobody asked for it, so the
// object is ready.
func notAVariable(d *Decision, problem string) Outcome {
	if d.Outcome.File == nil {
		problem += ": set filePath to have it as a file"
	}
	o := projected(nil, d.Outcome.File, append(slices.Clip(d.notes), note{v1alpha1.ReasonNotAVariable, "no variable: " + problem}))
	if o.Reason != v1alpha1.ReasonTargetRefused {
		o.Reason = v1alpha1.ReasonNotAVariable
	}
	o.Ready = !d.Item.EnvAsked && len(d.notes) == 0
	return o
}

// sourceNotApproved is the outcome of a source that may not be read for the object.
func sourceNotApproved(ref v1alpha1.SecretKeyRef) Outcome {
	return failed(v1alpha1.ReasonSourceNotApproved, fmt.Sprintf("nobody who may get Secret %s has approved it for this object as it is, "+
		"since it was stored without admission: somebody who may get that Secret patches the object, if only with {}, or replaces it", ref.Name))
}

// Blocked is the outcome of objects if a foreign Secret has the name of their bundle.
func Blocked(secret string) Outcome {
	return failed(v1alpha1.ReasonBundleBlocked, fmt.Sprintf("Secret %s is not Latchkey's and was left alone: delete it, or recreate it under another name", secret))
}

// Immutable is the outcome of objects whose bundle was made immutable.
func Immutable(secret string) Outcome {
	return failed(v1alpha1.ReasonBundleBlocked, fmt.Sprintf("Secret %s was made immutable by somebody: delete it, and it is written again", secret))
}

// Refused is the outcome of objects whose bundle could not be written. answer describes
// the reason in words that quote nothing.
func Refused(secret, answer string) Outcome {
	return failed(v1alpha1.ReasonBundleRefused, fmt.Sprintf("Secret %s could not be written: %s; what it holds stays as it is, and it is tried again", secret, answer))
}

// RefusedRemoval is the outcome of objects whose value must be removed from a bundle
// that could not be written.
func RefusedRemoval(secret, answer string) Outcome {
	return failed(v1alpha1.ReasonBundleRefused, fmt.Sprintf("the value is still in Secret %s, which could not be written: %s; it is tried again", secret, answer))
}

func conflict(losses []claim.Loss) Outcome {
	parts := make([]string, 0, len(losses))
	for _, l := range losses {
		parts = append(parts, fmt.Sprintf("%s %q is held by %s", claim.WordsOf(l.Claim.Kind).Noun, l.Claim.Value, l.Holder))
	}
	return failed(v1alpha1.ReasonConflict, strings.Join(parts, "; ")+": choose another, or delete one of the two")
}

// projected returns the outcome of an object whose value is in the bundles, with notes
// on the targets that are not possible. A refused target determines the reason.
func projected(env, file *v1alpha1.Landing, notes []note) Outcome {
	o := Outcome{Ready: true, Reason: v1alpha1.ReasonProjected, Env: env, File: file}
	switch { // each in one piece: a tenant has hundreds of them
	case env != nil && file != nil:
		o.Message = "projected as variable " + env.Key + " of Secret " + env.SecretName + " and file " + file.Key + " of Secret " + file.SecretName
	case env != nil:
		o.Message = "projected as variable " + env.Key + " of Secret " + env.SecretName
	case file != nil:
		o.Message = "projected as file " + file.Key + " of Secret " + file.SecretName
	}
	for _, n := range notes {
		if o.Ready || n.reason == v1alpha1.ReasonTargetRefused {
			o.Ready, o.Reason = false, n.reason
		}
		o.Message = strings.TrimPrefix(o.Message+"; "+n.text, "; ")
	}
	return o
}
