// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import "time"

// places limits the rollouts that Latchkey started. A place is held for at most a time
// that is fixed when it is taken. Neither a rollout that never ends nor another one of
// the same workload prolongs it.
type places struct {
	max     int
	timeout time.Duration
	held    map[Workload]place
}

type place struct {
	since time.Time
	// used is true once the rollout has begun.
	used bool
}

// take gives a place to a workload that has none.
func (p *places) take(w Workload, now time.Time) { p.set(w, place{since: now}) }

// use records that the rollout of a workload with a place has begun.
func (p *places) use(w Workload) { p.set(w, place{since: p.held[w].since, used: true}) }

func (p *places) set(w Workload, is place) {
	if p.held == nil {
		p.held = map[Workload]place{}
	}
	p.held[w] = is
}

// has reports whether a workload may be restarted. It may be restarted again during its
// rollout: the new content may be what makes it succeed.
func (p *places) has(w Workload, now time.Time) bool {
	held, ok := p.held[w]
	return ok && now.Sub(held.since) < p.timeout
}

func (p *places) release(w Workload) { delete(p.held, w) }

// giveBack releases a place whose rollout has not begun.
func (p *places) giveBack(w Workload) {
	if held, ok := p.held[w]; ok && !held.used {
		p.release(w)
	}
}

// expire releases the places that were held for the maximum time. It returns the
// workloads whose rollouts had begun.
func (p *places) expire(now time.Time) []Workload {
	var ended []Workload
	for w, held := range p.held {
		if now.Sub(held.since) < p.timeout {
			continue
		}
		p.release(w)
		if held.used {
			ended = append(ended, w)
		}
	}
	return ended
}

// used returns the workloads whose rollouts have begun.
func (p *places) used() []Workload {
	var all []Workload
	for w, held := range p.held {
		if held.used {
			all = append(all, w)
		}
	}
	return all
}

// free returns the number of free places, and how many each tenant has.
func (p *places) free() (free int, held map[string]int) {
	held = make(map[string]int, len(p.held))
	for w := range p.held {
		held[w.Namespace]++
	}
	return p.max - len(p.held), held
}
