// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"sync"
	"time"
)

const (
	// restPerTenant is how long a tenant rests after a write, multiplied by the number
	// of tenants written recently: the busier the cluster, the more changes share one
	// write.
	restPerTenant = 10 * time.Millisecond
	// longestRest bounds the time for which a change waits because of the write before
	// it.
	longestRest = time.Second
	// remembered is the minimum time for which a write counts as recent.
	remembered = 2 * longestRest
)

// pace decides when a tenant is reconciled next. The first change of a quiet tenant is
// written at once. Then the tenant rests, and all changes of that time share one write.
// As long as several changes share a write, the next rest is twice as long. Its zero
// value is ready to use.
type pace struct {
	mu sync.Mutex
	// late has the rests of tenants that were written since the last turn, earlier
	// those of tenants written in the turn before. Older ones are forgotten, so the
	// memory is bounded by the tenants written in two turns.
	late, earlier map[string]rest
	turned        time.Time
}

// rest is the rest of one tenant.
type rest struct {
	until time.Time
	long  time.Duration
}

// wait returns how long a tenant still rests; 0 or less means that it does not.
func (p *pace) wait(namespace string, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(now)
	r, ok := p.of(namespace)
	if !ok {
		return 0
	}
	return r.until.Sub(now)
}

// wrote makes a tenant rest after a write, which took so long and contained so many
// changes.
func (p *pace) wrote(namespace string, now time.Time, took time.Duration, together int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(now)
	before, _ := p.of(namespace)
	delete(p.earlier, namespace)
	p.late[namespace] = rest{}
	long := max(took, time.Duration(len(p.late)+len(p.earlier))*restPerTenant)
	if together > 1 {
		long = max(long, 2*before.long)
	}
	long = min(long, longestRest)
	p.late[namespace] = rest{until: now.Add(long), long: long}
}

func (p *pace) of(namespace string) (rest, bool) {
	if r, ok := p.late[namespace]; ok {
		return r, true
	}
	r, ok := p.earlier[namespace]
	return r, ok
}

// turn forgets the writes that are no longer recent. The caller holds mu.
func (p *pace) turn(now time.Time) {
	passed := now.Sub(p.turned)
	if passed < remembered && p.late != nil {
		return
	}
	p.earlier = p.late
	if passed >= 2*remembered {
		p.earlier = nil
	}
	p.late, p.turned = map[string]rest{}, now
}
