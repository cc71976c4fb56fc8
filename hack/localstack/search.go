// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

// minNeedle is the shortest value that is worth looking for: shorter ones are found anywhere by chance.
const minNeedle = 8

// needle is a secret value that is known to the searcher, and where it may lie.
type needle struct {
	owners []string // objects that hold it: "UserSecret alice/github-token"
	value  string
	homes  []string // the keys in etcd where a native Secret may hold it
}

// haystack looks for needles in everything that it is shown, in any of the forms in which a value may be stored.
type haystack struct {
	needles []needle
	forms   [][][]byte        // of each needle
	seen    []map[string]bool // of each needle: the places where it was found
	keys    map[string]bool   // all places that were searched
}

func newHaystack(needles []needle) *haystack {
	h := &haystack{needles: needles, keys: map[string]bool{}}
	for _, n := range needles {
		h.forms = append(h.forms, formsOf(n.value))
		h.seen = append(h.seen, map[string]bool{})
	}
	return h
}

// search looks for every needle in one place.
func (h *haystack) search(place string, content []byte) {
	h.keys[place] = true
	for i, forms := range h.forms {
		if slices.ContainsFunc(forms, func(form []byte) bool { return bytes.Contains(content, form) }) {
			h.seen[i][place] = true
		}
	}
}

// places returns where needle i was found, divided into where it may be and where it must not.
func (h *haystack) places(i int) (homes, elsewhere []string) {
	for place := range h.seen[i] {
		if slices.Contains(h.needles[i].homes, place) {
			homes = append(homes, place)
		} else {
			elsewhere = append(elsewhere, place)
		}
	}
	slices.Sort(homes)
	slices.Sort(elsewhere)
	return homes, elsewhere
}

// formsOf lists how a value may appear in stored bytes: as it is, inside JSON (with and without HTML escapes), and
// inside base64, at any of the three offsets at which it may begin there.
func formsOf(value string) [][]byte {
	forms := [][]byte{[]byte(value)}
	for _, escapeHTML := range []bool{true, false} {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(escapeHTML)
		if err := encoder.Encode(value); err != nil {
			continue // a string always encodes
		}
		forms = append(forms, []byte(strings.Trim(strings.TrimSpace(text.String()), `"`)))
	}
	for offset := range 3 {
		padded := append(make([]byte, offset), value...)
		whole := len(padded) / 3 * 4 // characters that what follows cannot change
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString(padded)
			forms = append(forms, []byte(text[(offset*8+5)/6:whole]))
		}
	}
	slices.SortFunc(forms, bytes.Compare)
	return slices.CompactFunc(forms, bytes.Equal)
}
