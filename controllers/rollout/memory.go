// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// memory is what this process remembers about workloads. All but restarts is lost with
// the process, without harm. While the process runs, the same content does not restart
// a workload twice, whatever happens to the workload's annotations.
type memory struct {
	// due is when a difference of the content was noticed.
	due map[Workload]time.Time
	// last is the digest that was last noted, or restarted for.
	last map[Workload]note
	// first is the digest of the bundles when a workload without a digest was first
	// seen. TakeOver fills it initially.
	first map[Workload]note
	// restarts is when workloads were last restarted, as far as it still matters.
	restarts map[Workload]time.Time
}

type note struct {
	uid  types.UID
	hash string
}

// dueSince returns when the difference of the content was noticed; that is now if it
// was not noticed before.
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

// begun returns the first digest of a workload: hash, unless an earlier one could not
// be written yet.
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

// written returns the last digest of a workload, or "" if the UID is another one.
func (m *memory) written(w Workload, uid types.UID) string {
	if n := m.last[w]; n.uid == uid {
		return n.hash
	}
	return ""
}

// restarted remembers when a workload was restarted.
func (m *memory) restarted(w Workload, at time.Time) {
	if m.restarts == nil {
		m.restarts = map[Workload]time.Time{}
	}
	m.restarts[w] = at
}

// early returns how long it is until the interval since the last restart of a workload
// has passed.
func (m *memory) early(w Workload, now time.Time, interval time.Duration) time.Duration {
	last, known := m.restarts[w]
	if !known {
		return 0
	}
	return min(interval-now.Sub(last), interval)
}

// forget removes a workload that was deleted or opted out. It remembers the time of the
// last restart: opting out for a moment must not allow more frequent restarts.
func (m *memory) forget(w Workload) {
	delete(m.last, w)
	delete(m.first, w)
	m.inStep(w)
}
