// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/leak"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// Copies removes the value from annotations. Deploy tools keep a copy of the manifest
// in one. Such copies, kubectl's and any other manifest of our kinds, are reduced to
// the fields of the schema, because a misspelt field may contain the value, and the
// finder cannot know a value that was never in the right field. Any other annotation in
// which f finds the value is removed with a warning, so that the tool can continue.
func (r *Review) Copies(annotations map[string]string, f *leak.Finder) {
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		text := annotations[name]
		path := "/metadata/annotations/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		switch {
		case name == corev1.LastAppliedConfigAnnotation || isCopy(text):
			reduced, ok := reduce(text, f)
			if !ok {
				r.Remove(path)
			} else if text != reduced && text != reduced+"\n" {
				r.Set(path, reduced+"\n")
			}
		case f.In(text):
			r.Remove(path)
			r.warnings = append(r.warnings, "metadata.annotations: one that held the value was left out")
		}
	}
}

// isCopy reports whether a text is a manifest of one of our kinds. Other annotations
// are JSON, too, so the text must name the kind or have a value.
func isCopy(text string) bool {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return false
	}
	var manifest struct {
		APIVersion any                        `json:"apiVersion"`
		Kind       any                        `json:"kind"`
		Spec       map[string]json.RawMessage `json:"spec"`
	}
	if json.Unmarshal([]byte(text), &manifest) != nil {
		return false
	}
	_, valued := manifest.Spec["value"]
	version, _ := manifest.APIVersion.(string)
	group, _, _ := strings.Cut(version, "/")
	return valued || group == v1alpha1.GroupVersion.Group || manifest.Kind == "UserSecret" || manifest.Kind == "AgentSecret"
}

// reduce returns the parts of a manifest that may stay.
func reduce(text string, f *leak.Finder) (string, bool) {
	kept, ok := manifestShape(json.RawMessage(text), f)
	if !ok {
		return "", false
	}
	out, err := json.Marshal(kept)
	return string(out), err == nil
}

// shape returns the part of a JSON value that may stay, and whether there is any. It
// drops values of another form, and texts in which f finds the value.
type shape func(raw json.RawMessage, f *leak.Finder) (kept any, ok bool)

// One shape for both kinds: a field of the other kind is harmless.
var manifestShape = objectOf(map[string]shape{
	"apiVersion": textShape,
	"kind":       textShape,
	"metadata": objectOf(map[string]shape{
		"name": textShape, "namespace": textShape, "labels": textsShape, "annotations": textsShape,
	}),
	"spec": objectOf(map[string]shape{
		"name": textShape, "description": textShape, "envName": textShape, "filePath": textShape,
		"enabled": scalarShape[bool], "revision": scalarShape[int64], "sealedValue": textShape,
		"valueFrom":  objectOf(map[string]shape{"secretKeyRef": objectOf(map[string]shape{"name": textShape, "key": textShape})}),
		"path":       listShape,
		"secretType": typeShape,
	}),
})

func objectOf(members map[string]shape) shape {
	return func(raw json.RawMessage, f *leak.Finder) (any, bool) {
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil {
			return nil, false
		}
		kept := make(map[string]any, len(object))
		for name, member := range members {
			if raw, has := object[name]; has {
				if value, ok := member(raw, f); ok {
					kept[name] = value
				}
			}
		}
		return kept, true
	}
}

func textShape(raw json.RawMessage, f *leak.Finder) (any, bool) {
	text, ok := scalarShape[string](raw, nil)
	if s, is := text.(string); ok && is {
		return text, !f.In(s)
	}
	return nil, false
}

func scalarShape[T bool | int64 | string](raw json.RawMessage, _ *leak.Finder) (any, bool) {
	var value *T
	if json.Unmarshal(raw, &value) != nil || value == nil {
		return nil, false
	}
	return *value, true
}

// textsShape keeps labels and annotations, except copies within copies.
func textsShape(raw json.RawMessage, f *leak.Finder) (any, bool) {
	var texts map[string]json.RawMessage
	if json.Unmarshal(raw, &texts) != nil {
		return nil, false
	}
	kept := make(map[string]string, len(texts))
	for name, raw := range texts {
		if text, ok := textShape(raw, f); ok && !f.In(name) && name != corev1.LastAppliedConfigAnnotation && !isCopy(text.(string)) { //nolint:errcheck,forcetypeassert // textShape returns a string
			kept[name], _ = text.(string)
		}
	}
	return kept, true
}

func listShape(raw json.RawMessage, f *leak.Finder) (any, bool) {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil, false
	}
	kept := make([]any, 0, len(items))
	for _, item := range items {
		text, ok := textShape(item, f)
		if !ok {
			return nil, false
		}
		kept = append(kept, text)
	}
	return kept, true
}

// typeShape keeps a valid type, without members that no type has. The words of a type
// are not secret, even if a value equals one of them.
func typeShape(raw json.RawMessage, _ *leak.Finder) (any, bool) {
	t, err := typedvalue.ParseStoredType(raw)
	if err != nil {
		return nil, false
	}
	stored, err := t.MarshalStored()
	return json.RawMessage(stored), err == nil
}
