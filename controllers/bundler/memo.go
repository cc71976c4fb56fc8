// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

// memo is what a tenant's values came to when they were last opened. It holds no
// value. While inputs stays the same, no value need be opened again.
type memo struct {
	// inputs are the digests of what each bundle was made from.
	inputs map[string]string
	// macs are the keyed digests of the bundles' contents; a bundle without
	// contents has none.
	macs map[string]string
	// records say how the bundles came to be.
	records map[string]*bundle.Record
	// outcomes are those of objects whose value made a difference.
	outcomes map[types.UID]bundle.Outcome
	// setback is what became of writing the bundles, where some could not be written.
	setback *setback
}

// waitsForKey tells whether some value could not be opened for want of its key.
func (m *memo) waitsForKey() bool {
	for _, o := range m.outcomes {
		if o.Reason == v1alpha1.ReasonKeyNotFound {
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
