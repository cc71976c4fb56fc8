// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package leak

import (
	"cmp"
	"slices"
)

// matcher finds any of many needles while it reads a text once (Aho and Corasick). An
// object can have as many texts as its value has needles, so looking for each needle in
// each text would cost their product.
type matcher struct {
	next map[edge]int32
	// fallback is, for each node, the node of the longest proper suffix of its text that
	// begins a needle. found is true for a node whose text ends with a needle.
	fallback []int32
	found    []bool
	// begins are the bytes with which needles begin.
	begins [256]bool
}

// edge leads from a node by a byte. Node 0 has the empty text.
type edge struct {
	from int32
	by   byte
}

// node is how a node was reached, while a matcher is made.
type node struct {
	id, depth int32
	parent    edge
}

func newMatcher(needles [][]byte) *matcher {
	m := &matcher{next: map[edge]int32{}, fallback: []int32{0}, found: []bool{false}}
	var nodes []node
	for _, needle := range needles {
		at := int32(0)
		for depth, b := range needle {
			e := edge{at, b}
			next, known := m.next[e]
			if !known {
				next = int32(len(m.found)) //nolint:gosec // a value has at most 1 MiB
				m.next[e] = next
				m.fallback, m.found = append(m.fallback, 0), append(m.found, false)
				nodes = append(nodes, node{next, int32(depth), e})
			}
			at = next
		}
		m.found[at] = true
		m.begins[needle[0]] = true
	}
	// The text of a node's fallback is shorter than its own.
	slices.SortStableFunc(nodes, func(a, b node) int { return cmp.Compare(a.depth, b.depth) })
	for _, n := range nodes {
		if n.depth > 0 {
			m.fallback[n.id] = m.step(m.fallback[n.parent.from], n.parent.by)
		}
		m.found[n.id] = m.found[n.id] || m.found[m.fallback[n.id]]
	}
	return m
}

// step returns the node after a byte.
func (m *matcher) step(at int32, b byte) int32 {
	for {
		if at == 0 && !m.begins[b] {
			return 0
		}
		if next, ok := m.next[edge{at, b}]; ok {
			return next
		}
		if at == 0 {
			return 0
		}
		at = m.fallback[at]
	}
}

// in reports whether a text contains a needle.
func (m *matcher) in(text []byte) bool {
	at := int32(0)
	for _, b := range text {
		if at = m.step(at, b); m.found[at] {
			return true
		}
	}
	return false
}
