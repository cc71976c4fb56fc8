// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"encoding/json"
	"maps"
	"slices"
)

// Canonical returns the text of the type that sealed values are bound to: the JSON of
// MarshalStored with the members of every object sorted by name. It is what jq -cS prints
// for a stored object, and what RFC 8785 describes.
func (t *Type) Canonical() (string, error) {
	stored, err := t.MarshalStored()
	if err != nil {
		return "", err
	}
	if t.kind.scalar() {
		return string(stored), nil
	}
	v, err := decode("secretType", stored, 2*MaxTypeBytes, maxTypeDepth)
	if err != nil {
		return "", err
	}
	return string(appendSorted(make([]byte, 0, len(stored)), v)), nil
}

func appendSorted(out []byte, v any) []byte {
	switch v := v.(type) {
	case map[string]any:
		out = append(out, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(AppendQuoted(out, name), ':')
			out = appendSorted(out, v[name])
		}
		return append(out, '}')
	case []any:
		out = append(out, '[')
		for i, item := range v {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendSorted(out, item)
		}
		return append(out, ']')
	case string:
		return AppendQuoted(out, v)
	case json.Number:
		return append(out, v...)
	default: // a stored type holds nothing else
		return append(out, "null"...)
	}
}
