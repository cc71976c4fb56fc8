// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"bytes"
	"encoding/json"
	"reflect"

	jsonpatch "github.com/evanphx/json-patch/v5"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Managers corrects metadata.managedFields, which the API server wrote before
// admission. It must be called last, when all other changes are known.
//
// First, no manager owns a field that admission rewrites. The value is not stored, and
// its entries must not be either: if a value is an object, they contain its keys, and
// for a variant the key is the secret. A sealed value is replaced after each rotation
// of the key, and path and type are stored in canonical form. A manager that owned such
// a field would conflict with everyone who applies the same manifest, because that
// differs from the stored object. Nothing is lost: path and type are immutable, and of
// two values the later one is stored.
//
// Second, an update that changes nothing must not be a write. A manifest with a value
// differs from the stored object until admission removes the value, so the API server
// has recorded that its manager changed something now. That alone would be a write with
// a new resourceVersion. If nothing else differs, the stored managers stay.
func (r *Review) Managers(req admission.Request) {
	if r.Refused() {
		return
	}
	object, managers := split(req.Object.Raw)
	cleaned, changed := withoutRewritten(managers)
	if len(cleaned) == 0 && len(managers) > 0 {
		cleaned = []metav1.ManagedFieldsEntry{placeholder(managers[0])}
	}
	if req.Operation == admissionv1.Update {
		_, stored := split(req.OldObject.Raw)
		if SameManagers(cleaned, stored) && r.leaves(req) {
			cleaned, changed = stored, true
		}
	}
	// An object can have no managers, for example if they were cleared.
	if object != nil && changed && len(managers) > 0 {
		r.Set("/metadata/managedFields", cleaned)
	}
}

// leaves reports whether the object, as patched, equals the stored one.
func (r *Review) leaves(req admission.Request) bool {
	is := r.patched(req)
	was, _ := split(req.OldObject.Raw)
	return is != nil && reflect.DeepEqual(is, was)
}

// LeavesSpec reports whether the spec, as patched so far, equals the stored one. If it
// does, the API server does not raise the object's generation; otherwise it raises it
// by one.
func (r *Review) LeavesSpec(req admission.Request) bool {
	is := r.patched(req)
	was, _ := split(req.OldObject.Raw)
	return is != nil && reflect.DeepEqual(is["spec"], was["spec"])
}

// patched returns the object as patched so far, or nil if that is impossible.
func (r *Review) patched(req admission.Request) map[string]any {
	ops, err := json.Marshal(r.patches)
	if err != nil {
		return nil
	}
	patch, err := jsonpatch.DecodePatch(ops)
	if err != nil {
		return nil
	}
	raw, err := patch.Apply(req.Object.Raw)
	if err != nil {
		return nil
	}
	object, _ := split(raw)
	return object
}

// split decodes an object into its managers and the rest, without its status, which
// such a request cannot change.
func split(raw []byte) (map[string]any, []metav1.ManagedFieldsEntry) {
	var object map[string]any
	var managed struct {
		Metadata struct {
			ManagedFields []metav1.ManagedFieldsEntry `json:"managedFields"`
		} `json:"metadata"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&object) != nil || json.Unmarshal(raw, &managed) != nil {
		return nil, nil
	}
	delete(object, "status")
	if metadata, ok := object["metadata"].(map[string]any); ok {
		delete(metadata, "managedFields")
	}
	return object, managed.Metadata.ManagedFields
}

// placeholder replaces an empty list of managers. The API server treats an object
// without managers as older than server-side apply, so that its first apply conflicts
// with everything. The placeholder owns only the existence of spec, which no one
// contests.
func placeholder(m metav1.ManagedFieldsEntry) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: "latchkey", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: m.APIVersion, Time: m.Time,
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{".":{}}}`),
	}
}

// rewritten are the fields of spec that no manager owns.
var rewritten = []string{"f:value", "f:sealedValue", "f:path", "f:secretType", "f:revision"}

// withoutRewritten returns managers without the rewritten fields, and whether any were
// removed. A manager that owns nothing else is dropped.
func withoutRewritten(managers []metav1.ManagedFieldsEntry) (cleaned []metav1.ManagedFieldsEntry, changed bool) {
	for _, m := range managers {
		fields, found := ownedWithoutRewritten(m.FieldsV1)
		if found {
			changed = true
			m.FieldsV1 = fields
		}
		if !found || fields != nil {
			cleaned = append(cleaned, m)
		}
	}
	return cleaned, changed
}

// ownedWithoutRewritten removes the rewritten fields from a set of fields. It returns
// nil if nothing is left: an empty set would stand for its parent.
func ownedWithoutRewritten(owned *metav1.FieldsV1) (rest *metav1.FieldsV1, found bool) {
	var fields, spec map[string]json.RawMessage
	if owned == nil || json.Unmarshal(owned.GetRawBytes(), &fields) != nil || json.Unmarshal(fields["f:spec"], &spec) != nil {
		return owned, false
	}
	for _, field := range rewritten {
		if _, has := spec[field]; has {
			found = true
			delete(spec, field)
		}
	}
	if !found {
		return owned, false
	}
	delete(fields, "f:spec")
	// The existence of spec need not be owned: the API server forgets it with the next
	// write of the status, and an unchanged manifest would add it again.
	delete(spec, ".")
	if len(spec) > 0 {
		raw, err := json.Marshal(spec)
		if err != nil {
			return nil, true
		}
		fields["f:spec"] = raw
	}
	if len(fields) == 0 {
		return nil, true
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return nil, true
	}
	return metav1.NewFieldsV1(string(raw)), true
}

// SameManagers reports whether two lists are equal except for times and order. Each
// entry is normalized once: a writer can have as many managers as fit in a request.
func SameManagers(a, b []metav1.ManagedFieldsEntry) bool {
	if len(a) != len(b) {
		return false
	}
	left := make(map[string]int, len(b))
	for _, m := range b {
		key, ok := managerKey(m)
		if !ok {
			return false
		}
		left[key]++
	}
	for _, m := range a {
		key, ok := managerKey(m)
		if !ok || left[key] == 0 {
			return false
		}
		left[key]--
	}
	return true
}

// managerKey returns a text that is equal for two entries if they differ only in their
// time and in the order of their fields' members. An entry without fields has none.
func managerKey(m metav1.ManagedFieldsEntry) (key string, ok bool) {
	if m.FieldsV1 == nil {
		return "", false
	}
	var fields any
	if json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields) != nil {
		return "", false
	}
	raw, err := json.Marshal([]any{m.Manager, m.Operation, m.APIVersion, m.Subresource, m.FieldsType, fields})
	return string(raw), err == nil
}
