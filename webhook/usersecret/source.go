// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package usersecret

import (
	"context"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/rules"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/webhook/sealing"
)

// source decides where the value comes from. A new source replaces one that merely
// stayed: tools that merge a manifest into the stored object leave the stored
// sealedValue beside a new valueFrom, and mean the new one. It reports whether the
// value differs from the stored one.
func (h *Handler) source(ctx context.Context, reader *sealing.Reader, at seal.Context, obj, old *v1alpha1.UserSecret, review *sealing.Review) (changed bool, err error) {
	hasValue := obj.Spec.Value != nil
	newSealed := obj.Spec.SealedValue != "" && obj.Spec.SealedValue != old.Spec.SealedValue
	newFrom := obj.Spec.ValueFrom != nil && (old.Spec.ValueFrom == nil || *obj.Spec.ValueFrom != *old.Spec.ValueFrom)
	if n := count(hasValue, newSealed, newFrom); n > 1 {
		review.Refuse("spec", metav1.CauseTypeFieldValueInvalid, "set only one of value, sealedValue and valueFrom")
		if hasValue {
			review.Remove("/spec/value")
		}
		obj.Spec.ValueFrom = nil // it is unknown which one is meant
		return false, nil
	}
	switch {
	case hasValue:
		return h.value(ctx, reader, at, obj, old, review)
	case newFrom:
		if obj.Spec.SealedValue != "" {
			review.Remove("/spec/sealedValue")
			obj.Spec.SealedValue = ""
		}
		return true, nil
	case newSealed:
		if obj.Spec.ValueFrom != nil {
			review.Remove("/spec/valueFrom")
			obj.Spec.ValueFrom = nil
		}
		fits := func(v seal.Value) bool { return rules.Value(string(v.Reveal()), false) == "" }
		stored, err := reader.Comparable(ctx, old.Spec.SealedValue)
		if err != nil {
			return false, err
		}
		got, err := sealing.Sealed(ctx, h.Keyring, h.Namespaces, at, obj.Spec.SealedValue, stored, fits, review)
		if err == nil && got.Text != "" {
			set(obj, got, review)
		}
		return got.Changed, err
	}
	return false, nil
}

func count(conditions ...bool) int {
	n := 0
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}

// value seals a value that was sent in plain text and removes it from the object.
func (h *Handler) value(ctx context.Context, reader *sealing.Reader, at seal.Context, obj, old *v1alpha1.UserSecret, review *sealing.Review) (changed bool, err error) {
	review.Remove("/spec/value")
	var text string
	if err := json.Unmarshal(obj.Spec.Value.Raw(), &text); err != nil {
		review.Refuse("spec.value", metav1.CauseTypeFieldValueInvalid, "value must be a string: put it in quotes")
		return false, nil
	}
	value := seal.ValueOf(text)
	obj.Spec.Value, reader.Submitted = nil, &value
	if problem := rules.Value(text, old.Name == ""); problem != "" {
		review.Refuse("spec.value", metav1.CauseTypeFieldValueInvalid, problem)
		return false, nil
	}
	if obj.Spec.ValueFrom != nil {
		review.Remove("/spec/valueFrom")
		obj.Spec.ValueFrom = nil
	}
	stored, err := reader.Comparable(ctx, old.Spec.SealedValue)
	if err != nil {
		return false, err
	}
	got, err := sealing.Value(ctx, h.Keyring, at, value, stored)
	if err != nil {
		return false, err
	}
	set(obj, got, review)
	return got.Changed, nil
}

// set stores the result of sealing in the object.
func set(obj *v1alpha1.UserSecret, got sealing.Outcome, review *sealing.Review) {
	if got.Text != obj.Spec.SealedValue {
		review.Set("/spec/sealedValue", got.Text)
		obj.Spec.SealedValue = got.Text
	}
}
