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
)

// fieldOwner owns the APIServices that were not applied by anybody.
const fieldOwner = "latchkey"

// keptAPI is an APIService as it was asked for.
type keptAPI struct {
	// Owner is who applied it; they own it again when it is put back, or their next
	// apply would be refused.
	Owner string `json:"owner"`
	// Object has what the owner asked for.
	Object *unstructured.Unstructured `json:"object"`
}

// keepAPI returns what is written down of an APIService.
func keepAPI(o *unstructured.Unstructured) (string, error) {
	spec, ok := o.Object["spec"].(map[string]any)
	if !ok {
		return "", errors.New("it has no spec")
	}
	asked := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	asked = asked.DeepCopy()
	asked.SetGroupVersionKind(kind)
	asked.SetName(o.GetName())
	asked.SetLabels(o.GetLabels())
	asked.SetAnnotations(o.GetAnnotations())
	owner, ownsCA := applier(o)
	if !ownsCA {
		// Who put it there does it again, and must not find it to be the applier's.
		unstructured.RemoveNestedField(asked.Object, "spec", "caBundle")
	}
	text, err := json.Marshal(keptAPI{Owner: owner, Object: asked})
	return string(text), err
}

// applier returns who applied an object, and whether they set its caBundle.
func applier(o *unstructured.Unstructured) (name string, ownsCA bool) {
	for _, m := range o.GetManagedFields() {
		if m.Operation == metav1.ManagedFieldsOperationApply && m.Subresource == "" && m.FieldsV1 != nil {
			return m.Manager, bytes.Contains(m.FieldsV1.GetRawBytes(), []byte(`"f:caBundle"`))
		}
	}
	return fieldOwner, false
}

// readAPI undoes keepAPI.
func readAPI(name, text string) (keptAPI, error) {
	var kept keptAPI
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return kept, err
	}
	if kept.Owner == "" || kept.Object == nil || kept.Object.GroupVersionKind() != kind || kept.Object.GetName() != name {
		return kept, fmt.Errorf("it is no APIService %s", name)
	}
	return kept, nil
}
