// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"time"

	"golang.org/x/time/rate"
)

const (
	// perTenant is how many workloads of one tenant are read and written per second:
	// one worker serves all tenants.
	perTenant = 10
	// burst is how many may follow each other at once after a pause.
	burst = 50
	// sweepAt is how many tenants are remembered before idle ones are forgotten.
	sweepAt = 1000
)

// pace bounds the share of the worker's time that one tenant gets, whatever it does to
// its workloads. Its zero value is ready to use.
type pace struct {
	tenants map[string]*rate.Limiter
	// booked is when workloads that came too early may be read.
	booked map[Workload]time.Time
}

// wait returns how long it is until a workload may be read and written. If it returns
// 0, the workload may proceed, and its turn is used up.
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
