// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/digest"
)

// memo is what is known about a tenant and not stored on its bundles. It holds no
// value. A tenant whose values are all in its bundles has no memo.
type memo struct {
	// known is what is known about values that are not in the bundles as they should
	// be.
	known map[types.UID]knowledge
	// records are newer, or longer, than those on the bundles.
	records map[string]newerRecord
	// stale is when a record on a bundle became outdated, or zero.
	stale time.Time
	// wanted has a digest of what each bundle should contain, if there is a setback.
	wanted map[string]digest.Short
	// setback describes the bundles that could not be written; nil if all were.
	setback *setback
}

// knowledge is what is known about a value that was made from input.
type knowledge struct {
	input digest.Short
	known bundle.Known
}

// newerRecord is valid while the bundle has the record that it follows.
type newerRecord struct {
	follows string
	record  *bundle.Record
}

// recall returns what is known about the value of an object with an input.
func (m *memo) recall(uid types.UID, input digest.Short) (bundle.Known, bool) {
	if m == nil {
		return bundle.Known{}, false
	}
	k, ok := m.known[uid]
	return k.known, ok && k.input == input
}

// newer returns the record that follows text, which is the one on a bundle.
func (m *memo) newer(name, text string) (*bundle.Record, bool) {
	if m == nil {
		return nil, false
	}
	n, ok := m.records[name]
	return n.record, ok && n.follows == text
}

// empty reports whether there is nothing to remember.
func (m *memo) empty() bool {
	return len(m.known) == 0 && len(m.records) == 0 && m.setback == nil
}

// waitsForKey reports whether a value could not be opened because its key is missing.
func (m *memo) waitsForKey() bool {
	for _, k := range m.known {
		if f := k.known.Failure; f != nil && f.Reason == v1alpha1.ReasonKeyNotFound {
			return true
		}
	}
	return false
}

// memos has the tenants' memos. Its zero value is ready to use.
type memos struct {
	mu sync.Mutex
	m  map[string]*memo
	// wakings counts the calls of forgetWaiting.
	wakings int
}

// woken returns how often tenants that wait for a key were woken.
func (ms *memos) woken() int {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return ms.wakings
}

func (ms *memos) get(namespace string) *memo {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return ms.m[namespace]
}

func (ms *memos) put(namespace string, m *memo) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m.empty() {
		delete(ms.m, namespace)
		return
	}
	if ms.m == nil {
		ms.m = map[string]*memo{}
	}
	ms.m[namespace] = m
}

func (ms *memos) forget(namespace string) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	delete(ms.m, namespace)
}

// forgetWaiting removes the memos of tenants that wait for a key, and returns the
// tenants.
func (ms *memos) forgetWaiting() []string {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.wakings++
	var out []string
	for namespace, m := range ms.m {
		if m.waitsForKey() {
			delete(ms.m, namespace)
			out = append(out, namespace)
		}
	}
	return out
}
