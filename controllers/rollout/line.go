// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"container/list"
	"time"
)

// line holds the workloads that wait for a place, each in the queue of its tenant.
// Tenants take turns: the one that was served last goes behind all others, so how long
// a tenant waits depends on how many tenants wait, and not on how many workloads they
// have. Its zero value is an empty line.
type line struct {
	// tenants are the queues of those that have somebody waiting, in the order in
	// which they came or were served.
	tenants list.List // of *tenantQueue
	of      map[string]*list.Element
	// served is when tenants were last served. It outlives their queues for a while,
	// so that to come again is no way to the front.
	served map[string]time.Time
}

// tenantQueue holds one tenant's workloads, in the order in which they came.
type tenantQueue struct {
	namespace string
	waiting   list.List // of Workload
	at        map[Workload]*list.Element
}

// queueOf returns what an element of line.tenants holds.
func queueOf(e *list.Element) *tenantQueue {
	q, _ := e.Value.(*tenantQueue)
	return q
}

// empty reports whether nobody waits.
func (l *line) empty() bool { return l.tenants.Len() == 0 }

// join lets a workload wait. One that waits already keeps its position.
func (l *line) join(w Workload) {
	e, ok := l.of[w.Namespace]
	if !ok {
		if l.of == nil {
			l.of = map[string]*list.Element{}
		}
		e = l.tenants.PushBack(&tenantQueue{namespace: w.Namespace, at: map[Workload]*list.Element{}})
		l.of[w.Namespace] = e
	}
	q := queueOf(e)
	if _, waits := q.at[w]; !waits {
		q.at[w] = q.waiting.PushBack(w)
	}
}

// leave takes a workload out of the line.
func (l *line) leave(w Workload) {
	e, ok := l.of[w.Namespace]
	if !ok {
		return
	}
	q := queueOf(e)
	if at, waits := q.at[w]; waits {
		q.waiting.Remove(at)
		delete(q.at, w)
	}
	if q.waiting.Len() == 0 {
		l.tenants.Remove(e)
		delete(l.of, w.Namespace)
	}
}

// next takes out the workload whose turn it is, if there is room for one more. Held
// is how many places each tenant has, and free how many nobody has.
//
// Tenants with the fewest places come first, and of those the one whose last turn is
// the longest ago. The last free place is for tenants that have none, so that nobody
// can keep all others waiting with workloads that never become ready.
func (l *line) next(held map[string]int, free int, now time.Time) (Workload, bool) {
	var best *list.Element
	for e := l.tenants.Front(); e != nil && free > 0; e = e.Next() {
		if has := held[queueOf(e).namespace]; has > 0 && free == 1 {
			continue
		}
		if best == nil || l.before(e, best, held) {
			best = e
		}
	}
	if best == nil {
		return Workload{}, false
	}
	q := queueOf(best)
	w, _ := q.waiting.Front().Value.(Workload)
	if l.served == nil {
		l.served = map[string]time.Time{}
	}
	l.served[q.namespace] = now
	l.tenants.MoveToBack(best)
	l.leave(w)
	return w, true
}

// before reports whether tenant a goes before b, which came earlier.
func (l *line) before(a, b *list.Element, held map[string]int) bool {
	first, second := queueOf(a).namespace, queueOf(b).namespace
	if held[first] != held[second] {
		return held[first] < held[second]
	}
	return l.served[first].Before(l.served[second])
}

// forget drops turns before a time: who had none since is as good as new.
func (l *line) forget(before time.Time) {
	for namespace, at := range l.served {
		if !at.After(before) {
			delete(l.served, namespace)
		}
	}
}
