// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"time"

	"golang.org/x/time/rate"
)

const (
	// perTenant is how many workloads of one tenant are read and written in a second,
	// since one worker does it for all tenants.
	perTenant = 10
	// burst is how many may be at once after a time of rest.
	burst = 50
	// sweepAt is how many tenants are remembered before those at rest are forgotten.
	sweepAt = 1000
)

// pace bounds how much of the worker's time one tenant gets, whatever it does to its
// workloads. Its zero value is ready for use.
type pace struct {
	tenants map[string]*rate.Limiter
	// booked is when workloads may be read that came too early.
	booked map[Workload]time.Time
}

// wait returns how long it is until a workload may be read and written. At 0 it is
// its turn, which that uses up.
func (p *pace) wait(w Workload, now time.Time) time.Duration {
	at, known := p.booked[w]
	if !known {
		at = now.Add(p.tenant(w.Namespace, now).ReserveN(now, 1).DelayFrom(now))
	}
	if at.After(now) {
		if p.booked == nil {
			p.booked = map[Workload]time.Time{}
		}
		p.booked[w] = at
		return at.Sub(now)
	}
	delete(p.booked, w)
	return 0
}

func (p *pace) tenant(namespace string, now time.Time) *rate.Limiter {
	if l, ok := p.tenants[namespace]; ok {
		return l
	}
	if p.tenants == nil {
		p.tenants = map[string]*rate.Limiter{}
	}
	if len(p.tenants) >= sweepAt {
		for other, l := range p.tenants {
			if l.TokensAt(now) >= burst {
				delete(p.tenants, other)
			}
		}
	}
	l := rate.NewLimiter(perTenant, burst)
	p.tenants[namespace] = l
	return l
}

func (p *pace) forget(w Workload) { delete(p.booked, w) }
