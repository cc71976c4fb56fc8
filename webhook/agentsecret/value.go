// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package agentsecret

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
	"github.com/latchkey-dev/latchkey/internal/typedvalue/agentpath"
	"github.com/latchkey-dev/latchkey/webhook/sealing"
)

// path brings the path into canonical form, once: converting it again could change it.
// The annotation records the conversion, so that a backup can be restored.
func (r *request) path(review *sealing.Review) {
	const field = "spec.path"
	if !r.create && slices.Equal(r.obj.Spec.Path, r.old.Spec.Path) {
		return
	}
	if r.create && r.obj.Annotations[v1alpha1.AnnotationCanonicalPath] == "true" {
		if err := agentpath.CheckCanonical(r.obj.Spec.Path); err != nil {
			review.Refuse(field, metav1.CauseTypeFieldValueInvalid,
				"it is not canonical, as annotation "+v1alpha1.AnnotationCanonicalPath+" says: remove the annotation")
		}
		return
	}
	path, err := agentpath.Canonical(r.obj.Spec.Path)
	if err != nil {
		review.Refuse(field, metav1.CauseTypeFieldValueInvalid, err.Error())
		return
	}
	if !r.create && !slices.Equal(path, r.old.Spec.Path) {
		review.Refuse(field, metav1.CauseTypeFieldValueInvalid, "it is immutable: delete this AgentSecret and create another")
		return
	}
	if !slices.Equal(path, r.obj.Spec.Path) {
		review.Set("/spec/path", path)
		r.obj.Spec.Path = path
	}
}

// canonical returns the stored path if it is canonical, as it is unless the object was
// stored without admission. The path itself is checked, not the annotation: an update
// without admission may have removed that.
func (r *request) canonical() string {
	if agentpath.CheckCanonical(r.obj.Spec.Path) != nil {
		return ""
	}
	return "true"
}

// secretType brings the type into canonical form and keeps it unchanged.
func (r *request) secretType(review *sealing.Review) {
	const field = "spec.secretType"
	t, err := typedvalue.ParseStoredType(r.obj.Spec.SecretType.Raw)
	if err != nil {
		review.Refuse(field, metav1.CauseTypeFieldValueInvalid, err.Error())
		return
	}
	canonical, err := t.MarshalStored()
	if err != nil {
		review.Refuse(field, metav1.CauseTypeFieldValueInvalid, err.Error())
		return
	}
	if !r.create {
		was, err := typedvalue.ParseStoredType(r.old.Spec.SecretType.Raw)
		if err == nil {
			stored, err := was.MarshalStored()
			if err != nil || !bytes.Equal(stored, canonical) {
				review.Refuse(field, metav1.CauseTypeFieldValueInvalid, "it is immutable: delete this AgentSecret and create another")
				return
			}
		}
	}
	r.typ = t
	if !sameJSON(r.obj.Spec.SecretType.Raw, canonical) {
		review.Set("/spec/secretType", json.RawMessage(canonical))
	}
}

// sameJSON reports whether two JSON texts are equal except for white space and the
// order of members.
func sameJSON(a, b []byte) bool {
	normal := func(raw []byte) []byte {
		var v any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if d.Decode(&v) != nil {
			return nil
		}
		out, err := json.Marshal(v)
		if err != nil {
			return nil
		}
		return out
	}
	x := normal(a)
	return x != nil && bytes.Equal(x, normal(b))
}

// value checks the value against the type and seals it.
func (h *Handler) value(ctx context.Context, r *request, review *sealing.Review) error {
	at, err := binding.Agent(r.namespace, r.obj.Name, r.obj.Spec.Path, r.typ)
	if err != nil {
		return err
	}
	sealedAnew := r.obj.Spec.SealedValue != "" && r.obj.Spec.SealedValue != r.old.Spec.SealedValue
	switch {
	case r.obj.Spec.Value != nil && sealedAnew:
		review.Refuse("spec", metav1.CauseTypeFieldValueInvalid, "set only one of value and sealedValue")
		return nil
	case r.obj.Spec.Value != nil:
		canonical, err := typedvalue.CheckManifest(r.typ, r.obj.Spec.Value.Raw())
		if err != nil {
			review.Refuse("spec.value", causeOf(err), err.Error())
			return nil
		}
		value := seal.NewValue(canonical)
		r.reader.Submitted = &value
		stored, err := r.reader.Comparable(ctx, r.old.Spec.SealedValue)
		if err != nil {
			return err
		}
		got, err := sealing.Value(ctx, h.Keyring, at, value, stored)
		if err != nil {
			return err
		}
		r.store(got, review)
	case sealedAnew:
		stored, err := r.reader.Comparable(ctx, r.old.Spec.SealedValue)
		if err != nil {
			return err
		}
		got, err := sealing.Sealed(ctx, h.Keyring, h.Namespaces, at, r.obj.Spec.SealedValue, stored, r.fits, review)
		if err != nil {
			return err
		}
		if got.Text != "" {
			r.store(got, review)
		}
	default:
		r.changed = r.obj.Spec.SealedValue != r.old.Spec.SealedValue
	}
	return nil
}

// fits reports whether an opened value matches the type.
func (r *request) fits(v seal.Value) bool {
	_, err := typedvalue.CheckStored(r.typ, v.Reveal())
	return err == nil
}

// causeOf distinguishes a value of the wrong type from an invalid value.
func causeOf(err error) metav1.CauseType {
	var mismatch *typedvalue.MismatchError
	if errors.As(err, &mismatch) {
		return sealing.CauseTypeMismatch
	}
	return metav1.CauseTypeFieldValueInvalid
}

func (r *request) store(got sealing.Outcome, review *sealing.Review) {
	r.changed = got.Changed
	if got.Text != r.obj.Spec.SealedValue {
		review.Set("/spec/sealedValue", got.Text)
		r.obj.Spec.SealedValue = got.Text
	}
}
