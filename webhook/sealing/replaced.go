// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// WarnReplaced warns about fields of spec that contain U+FFFD. Clients and the API
// server insert it in place of invalid text, such as bytes that are not UTF-8 or
// unpaired surrogates, before admission: then the stored value differs from what was
// sent. The character may also be intended, so it is not refused. Stored text causes no
// new warning.
func (r *Review) WarnReplaced(req admission.Request) {
	is, was := specOf(req.Object.Raw), specOf(req.OldObject.Raw)
	for _, field := range slices.Sorted(maps.Keys(is)) {
		raw := is[field]
		// Literal or escaped, depending on the writer of the JSON.
		if !bytes.Contains(raw, []byte("\ufffd")) && !bytes.Contains(bytes.ToLower(raw), []byte(`\ufffd`)) {
			continue
		}
		if stored, has := was[field]; !has || !bytes.Equal(raw, stored) {
			r.warnings = append(r.warnings, "spec."+field+" holds U+FFFD, which replaces what is not text, such as bytes that are not UTF-8: "+
				"what is stored may not be what was sent; where such bytes are meant, encode them, in base64 for example")
		}
	}
}

func specOf(raw []byte) map[string]json.RawMessage {
	var object struct {
		Spec map[string]json.RawMessage `json:"spec"`
	}
	if json.Unmarshal(raw, &object) != nil {
		return nil
	}
	return object.Spec
}
