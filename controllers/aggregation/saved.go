// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// fieldOwner owns the objects that nobody is known to own.
const fieldOwner = "latchkey"

// saved is an APIService or a webhook configuration, as it was applied.
type saved struct {
	// Owner is the field manager that applied it. It owns the object again when it is
	// restored; otherwise its next apply would be refused.
	Owner string `json:"owner"`
	// Object has the fields that the owner applied.
	Object *unstructured.Unstructured `json:"object"`

	// uid and fields are the UID and the field owners that the object had.
	uid    types.UID
	fields []metav1.ManagedFieldsEntry
}

// save returns what is needed to restore an object. It leaves out the fields that
// Latchkey writes, so that the owner does not become their owner: the controllers that
// maintain them write them again.
func save(o *unstructured.Unstructured) (saved, error) {
	asked := &unstructured.Unstructured{Object: map[string]any{}}
	for _, content := range []string{"spec", "webhooks"} {
		if v, ok := o.Object[content]; ok {
			asked.Object[content] = v
		}
	}
	if len(asked.Object) == 0 {
		return saved{}, errors.New("it has no spec and no webhooks")
	}
	asked = asked.DeepCopy()
	asked.SetGroupVersionKind(o.GroupVersionKind())
	asked.SetName(o.GetName())
	asked.SetLabels(o.GetLabels())
	asked.SetAnnotations(o.GetAnnotations())
	owner, owns := applier(o)
	if !owns("caBundle") {
		unstructured.RemoveNestedField(asked.Object, "spec", "caBundle")
	}
	hooks, _ := asked.Object["webhooks"].([]any)
	for _, h := range hooks {
		if hook, ok := h.(map[string]any); ok {
			if !owns("caBundle") {
				unstructured.RemoveNestedField(hook, "clientConfig", "caBundle")
			}
			if !owns("path") && owner != fieldOwner {
				unstructured.RemoveNestedField(hook, "clientConfig", "service", "path")
			}
		}
	}
	return saved{Owner: owner, Object: asked, uid: o.GetUID(), fields: o.GetManagedFields()}, nil
}

// applier returns the field manager that applied an object, or, if nobody did, the one
// that wrote most of it, and a function that reports whether it owns a field.
func applier(o *unstructured.Unstructured) (name string, owns func(field string) bool) {
	name = fieldOwner
	var fields []byte
	for _, m := range o.GetManagedFields() {
		if m.Subresource != "" || m.FieldsV1 == nil {
			continue
		}
		raw := m.FieldsV1.GetRawBytes()
		if m.Operation == metav1.ManagedFieldsOperationApply {
			name, fields = m.Manager, raw
			break
		}
		if m.Manager != fieldOwner && len(raw) > len(fields) {
			name, fields = m.Manager, raw
		}
	}
	return name, func(field string) bool { return bytes.Contains(fields, []byte(`"f:`+field+`"`)) }
}

// text encodes a saved object.
func (k saved) text() (string, error) {
	text, err := json.Marshal(k)
	return string(text), err
}

// readAPI decodes the text of a saved APIService.
func readAPI(name, text string) (saved, error) {
	var k saved
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		return k, err
	}
	if k.Owner == "" || k.Object == nil || k.Object.GroupVersionKind() != kind || k.Object.GetName() != name {
		return k, fmt.Errorf("not APIService %s", name)
	}
	return k, nil
}
