// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"container/list"
	"time"
)

// line has the workloads that wait for a place, in one queue for each tenant. Tenants
// take turns: the tenant that was served last moves behind all others. So how long a
// tenant waits depends on the number of waiting tenants, and not on how many workloads
// they have. Its zero value is an empty line.
type line struct {
	// tenants are the queues of the tenants with waiting workloads, in the order in
	// which they came or were served.
	tenants list.List // of *tenantQueue
	of      map[string]*list.Element
	// served is when tenants were last served. It outlives their queues for a while, so
	// that a tenant cannot move to the front by leaving and joining again.
	served map[string]time.Time
}

// tenantQueue has one tenant's workloads, in the order in which they came.
type tenantQueue struct {
	namespace string
	waiting   list.List // of Workload
	at        map[Workload]*list.Element
}

// queueOf returns the queue in an element of line.tenants.
func queueOf(e *list.Element) *tenantQueue {
	q, _ := e.Value.(*tenantQueue)
	return q
}

// empty reports whether no workload waits.
func (l *line) empty() bool { return l.tenants.Len() == 0 }

// join adds a workload. One that waits already keeps its position.
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

// leave removes a workload.
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

// next removes and returns the workload whose turn it is, if a place is free. held is
// how many places each tenant has, and free is how many are free.
//
// Tenants with the fewest places come first; among them, the tenant whose last turn is
// the longest ago. The last free place is reserved for tenants without one, so that no
// tenant can block all others with workloads that never become ready.
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

// before reports whether tenant a is served before b, which came earlier.
func (l *line) before(a, b *list.Element, held map[string]int) bool {
	first, second := queueOf(a).namespace, queueOf(b).namespace
	if held[first] != held[second] {
		return held[first] < held[second]
	}
	return l.served[first].Before(l.served[second])
}

// forget removes turns before a time: a tenant without a later turn counts as new.
func (l *line) forget(before time.Time) {
	for namespace, at := range l.served {
		if !at.After(before) {
			delete(l.served, namespace)
		}
	}
}
