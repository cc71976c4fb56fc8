// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"sync"
	"time"
)

const (
	// restPerTenant is for how long a tenant rests after a write, for each tenant that was
	// written of late: the busier the cluster, the more changes become one write.
	restPerTenant = 10 * time.Millisecond
	// longestRest bounds how long a change can wait for the one before it.
	longestRest = time.Second
	// remembered is for how long at least a write counts as of late.
	remembered = 2 * longestRest
)

// pace says when a tenant is next. The first change of a quiet tenant is written at once.
// Then the tenant rests, and what comes meanwhile is one write. As long as that brings
// several changes together, the next rest is twice as long. Its zero value is ready.
type pace struct {
	mu sync.Mutex
	// late and earlier are the rests of tenants that were written since the last turn, and
	// between that and the one before. What is in neither is forgotten, so the memory is
	// that of tenants written within two turns.
	late, earlier map[string]rest
	turned        time.Time
}

// rest is that of one tenant.
type rest struct {
	until time.Time
	long  time.Duration
}

// wait returns how much longer a tenant rests; 0 or less means that it does not.
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

// wrote has a tenant rest that was just written, which took so long and brought so many
// changes together.
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

// turn forgets what is no longer of late. The caller holds mu.
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
