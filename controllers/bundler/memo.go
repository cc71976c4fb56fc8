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

// memo is what is known of a tenant and does not stand on its bundles. It holds no value.
// A tenant whose values are all in its bundles has none.
type memo struct {
	// known is what is known of values that are not in the bundles as they are wanted.
	known map[types.UID]knowledge
	// records are newer than those on the bundles, or longer.
	records map[string]newerRecord
	// stale is since when a record on a bundle is to be brought up to date, or zero.
	stale time.Time
	// wanted digests what each bundle was to hold.
	wanted map[string]digest.Short
	// setback is what became of writing the bundles, where some could not be written.
	setback *setback
}

// knowledge is what is known of a value, which was had or not had from input.
type knowledge struct {
	input digest.Short
	known bundle.Known
}

// newerRecord counts while the bundle has the record that it follows.
type newerRecord struct {
	follows string
	record  *bundle.Record
}

// recall returns what is known of the value of an object with an input.
func (m *memo) recall(uid types.UID, input digest.Short) (bundle.Known, bool) {
	if m == nil {
		return bundle.Known{}, false
	}
	k, ok := m.known[uid]
	return k.known, ok && k.input == input
}

// newer returns the record that follows text, which stands on a bundle.
func (m *memo) newer(name, text string) (*bundle.Record, bool) {
	if m == nil {
		return nil, false
	}
	n, ok := m.records[name]
	return n.record, ok && n.follows == text
}

// empty reports whether nothing need be remembered.
func (m *memo) empty() bool {
	return len(m.known) == 0 && len(m.records) == 0 && m.setback == nil
}

// waitsForKey reports whether some value could not be opened for want of its key.
func (m *memo) waitsForKey() bool {
	for _, k := range m.known {
		if f := k.known.Failure; f != nil && f.Reason == v1alpha1.ReasonKeyNotFound {
			return true
		}
	}
	return false
}

// memos holds the tenants' memos; its zero value is ready.
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

// forgetWaiting drops the memos of tenants that wait for a key, and returns them.
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
