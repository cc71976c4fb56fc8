// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"hash/maphash"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/projector"
)

// maxMemos bounds the tenants that are remembered; a few kilobytes each.
const maxMemos = 10_000

// seed prevents others from choosing fingerprints.
var seed = maphash.MakeSeed()

// memo remembers the files of tenants: computing them is half the work of an admission,
// and many pods are created between two changes of a secret. An entry cannot be
// outdated, because it is found by the versions of the objects that it was made from.
// Its zero value is ready to use.
type memo struct {
	mu      sync.Mutex
	tenants map[string]remembered
}

type remembered struct {
	of    uint64
	files []projector.File
}

// files returns the result of work for a tenant's objects, or a remembered one. The
// result must not be changed.
func (m *memo) files(namespace string, users []*v1alpha1.UserSecret, approved func(*v1alpha1.UserSecret) bool, work func() []projector.File) []projector.File {
	of := fingerprint(users, approved)
	m.mu.Lock()
	known, found := m.tenants[namespace]
	m.mu.Unlock()
	if found && known.of == of {
		return known.files
	}
	files := work()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tenants == nil || len(m.tenants) >= maxMemos {
		m.tenants = map[string]remembered{}
	}
	m.tenants[namespace] = remembered{of: of, files: files}
	return files
}

// fingerprint digests the objects and their versions, in any order, and which of them
// are approved: the key of the approvals may be loaded after the objects.
func fingerprint(users []*v1alpha1.UserSecret, approved func(*v1alpha1.UserSecret) bool) uint64 {
	type version struct {
		uid      types.UID
		version  string
		approved bool
	}
	sum := uint64(len(users))
	for _, u := range users {
		sum += maphash.Comparable(seed, version{u.UID, u.ResourceVersion, approved(u)})
	}
	return sum
}
