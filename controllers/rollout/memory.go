// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// memory is what this process remembers of workloads. All but restarts is lost with
// the process, and nothing is wrong then. While it lasts, the same content does not
// roll a workload twice, whatever somebody else does to its annotations.
type memory struct {
	// due is since when the content is known to differ.
	due map[Workload]time.Time
	// last is what was last noted or rolled to.
	last map[Workload]note
	// first is what the bundles held when a workload without a digest was first seen.
	// TakeOver makes it, with those that it finds.
	first map[Workload]note
	// restarts is when workloads were last rolled, as far as that is of interest.
	restarts map[Workload]time.Time
}

type note struct {
	uid  types.UID
	hash string
}

// dueSince returns since when the content is known to differ, which is now if it
// was not known before.
func (m *memory) dueSince(w Workload, now time.Time) time.Time {
	since, known := m.due[w]
	if !known {
		if m.due == nil {
			m.due = map[Workload]time.Time{}
		}
		m.due[w], since = now, now
		waiting.Set(float64(len(m.due)))
	}
	return since
}

func (m *memory) inStep(w Workload) {
	delete(m.due, w)
	waiting.Set(float64(len(m.due)))
}

// begun returns the digest that is the first one of a workload: the one given, unless
// another was determined earlier and could not be written.
func (m *memory) begun(w Workload, uid types.UID, hash string) string {
	if n := m.first[w]; n.uid == uid {
		return n.hash
	}
	m.first[w] = note{uid: uid, hash: hash}
	return hash
}

// wrote remembers a digest.
func (m *memory) wrote(w Workload, uid types.UID, hash string) {
	if m.last == nil {
		m.last = map[Workload]note{}
	}
	m.last[w] = note{uid: uid, hash: hash}
	delete(m.first, w)
	m.inStep(w)
}

// written returns the last digest of a workload; none if it is another one of the
// same name.
func (m *memory) written(w Workload, uid types.UID) string {
	if n := m.last[w]; n.uid == uid {
		return n.hash
	}
	return ""
}

// restarted remembers when a workload was rolled.
func (m *memory) restarted(w Workload, at time.Time) {
	if m.restarts == nil {
		m.restarts = map[Workload]time.Time{}
	}
	m.restarts[w] = at
}

// early returns how long it is until a workload may be rolled once an interval has
// passed since the last time.
func (m *memory) early(w Workload, now time.Time, interval time.Duration) time.Duration {
	last, known := m.restarts[w]
	if !known {
		return 0
	}
	return min(interval-now.Sub(last), interval)
}

// forget drops what is of no use for a workload that is gone or asks no more. It keeps
// when it was rolled: to stop asking for a moment is no way to be rolled more often.
func (m *memory) forget(w Workload) {
	delete(m.last, w)
	delete(m.first, w)
	m.inStep(w)
}
