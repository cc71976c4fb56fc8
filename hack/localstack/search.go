// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"slices"

	"github.com/latchkey-dev/latchkey/test/framework"
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
		h.forms = append(h.forms, framework.CanaryForms(n.value))
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
