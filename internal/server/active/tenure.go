// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package active

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// leaseFor is how long other replicas wait after they saw the Lease renewed.
	leaseFor = 3 * time.Second
	// validFor is how long the holder may answer, counted from when it began to renew.
	// It is shorter than leaseFor by more than clocks drift apart in that time.
	validFor = leaseFor - 250*time.Millisecond
	// renewWithin is how long the holder tries to renew before it gives up the Lease;
	// renewEvery is the pause between two renewals.
	renewWithin = 2 * time.Second
	renewEvery  = 400 * time.Millisecond
	// patience is how long requests wait for a server to become active: the time that
	// another one needs to take over from one that died.
	patience = 6 * time.Second
)

var (
	// ErrElsewhere reports that another replica is active or about to be. A new
	// connection reaches it.
	ErrElsewhere = errors.New("another server is active")
	// ErrNobody reports that no server became active in time.
	ErrNobody = errors.New("no server is active")
	// ErrLost reports that the Lease expired during the request.
	ErrLost = errors.New("this server is not the active one any more")
)

// Tenure knows which replica is active. It is safe for concurrent use.
type Tenure struct {
	clock    Clock
	identity string

	mu      sync.Mutex
	changed chan struct{}
	// until is when the Lease may have expired; 0 while it is not held. from is when it
	// is certain that no other replica holds one.
	until, from time.Duration
	// epoch grows whenever another replica may have been active in between; transitions
	// is the Lease's own count of that.
	epoch       uint64
	transitions int
	// ready is the epoch for which the caches have caught up.
	ready uint64
	// other is the other holder of the Lease, renewal is its last renewal, and
	// unreachable is the holder that could not be reached since then.
	other, renewal, unreachable string
	// vacant is since when no replica is known to be active; 0 while one is.
	vacant time.Duration
	// open counts the current requests, connections those of this replica's server.
	open, connections int
	// leaving is true when this replica is about to step down, stepped when it has.
	// closed is closed when no more connections are accepted.
	leaving, stepped bool
	closed           chan struct{}
	// released is true if the last holder gave up the Lease.
	released bool
}

// NewTenure returns the tenure of the replica with an identity.
func NewTenure(clock Clock, identity string) *Tenure {
	return &Tenure{clock: clock, identity: identity, changed: make(chan struct{}), closed: make(chan struct{})}
}

// wake wakes all waiters after a change. The caller holds mu.
func (t *Tenure) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// won records that the Lease is held by a write that began at began. created is true if
// there was no Lease: it may have been deleted while another replica held it.
func (t *Tenure) won(began time.Duration, transitions int, created bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if created || began >= t.until || transitions != t.transitions {
		t.epoch++
		t.transitions = transitions
		t.from = 0
		if created {
			t.from = began + leaseFor
		}
		defer t.wake()
	}
	t.until = began + validFor
	t.other, t.renewal = "", ""
}

// lost records that the Lease is about to be given up.
func (t *Tenure) lost() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until, t.ready, t.other, t.renewal = 0, 0, "", ""
	t.wake()
}

// caughtUp records that the caches have all that was acknowledged before epoch began.
func (t *Tenure) caughtUp(epoch uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready = epoch
	t.wake()
}

// observe records the holder of the Lease, as it was read.
func (t *Tenure) observe(holder, renewal string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if holder != t.identity {
		t.released = holder == ""
	} else {
		holder = ""
	}
	if t.other == holder && t.renewal == renewal {
		return
	}
	news := t.other != holder || t.unreachable != ""
	t.other, t.renewal, t.unreachable = holder, renewal, ""
	if news {
		t.wake()
	}
}

// unreach records that holder could not be reached. It counts until the holder renews
// the Lease.
func (t *Tenure) unreach(holder string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.other == holder && t.unreachable == "" {
		t.unreachable = holder
		t.wake()
	}
}

// state is which replica answers REST at a moment.
type state struct {
	// held is true if this replica holds the Lease, ready if its caches have caught up
	// since then, and here if it answers.
	held, ready, here bool
	epoch             uint64
	// alone is how long it takes until it is certain that no other replica holds a
	// Lease.
	alone time.Duration
	// other is the other active replica; "" if none is known or reachable.
	other string
	// wait is how long a request should wait for a replica to become active.
	wait    time.Duration
	changed <-chan struct{}
	// released is true if the last holder gave up the Lease.
	released bool
}

// state returns which replica answers now. It also notes since when none is active: a
// Lease expires without an event.
func (t *Tenure) state() state {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	s := state{epoch: t.epoch, changed: t.changed, held: now < t.until, ready: t.ready == t.epoch, alone: t.from - now, released: t.released}
	s.here = s.held && s.ready && !t.stepped
	if !s.held && t.unreachable == "" {
		s.other = t.other
	}
	switch {
	case s.here || s.other != "":
		t.vacant = 0
	case t.vacant == 0:
		t.vacant = now
	}
	s.wait = t.vacant + patience - now
	return s
}

// Term is the time in which one request is served. It must end.
type Term struct {
	tenure *Tenure
	epoch  uint64
}

// Begin waits until this replica is active, or until it is known that it will not be.
// If no replica was active for longer than a takeover takes, it does not wait.
func (t *Tenure) Begin(ctx context.Context) (Term, error) {
	for {
		s := t.state()
		switch {
		case s.here && t.enter(s.epoch):
			return Term{t, s.epoch}, nil
		case s.other != "" || t.hasStepped():
			return Term{}, ErrElsewhere
		case s.wait <= 0 || ctx.Err() != nil:
			return Term{}, ErrNobody
		}
		timer := time.NewTimer(s.wait)
		select {
		case <-s.changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

func (t *Tenure) enter(epoch uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.epoch != epoch || t.stepped {
		return false
	}
	t.open++
	return true
}

func (t *Tenure) hasStepped() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stepped
}

// Held returns an error unless this replica has been active since the term began. If it
// has, the caches had every write that any replica had acknowledged.
func (r Term) Held() error {
	t := r.tenure
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.epoch != r.epoch || t.clock.Now() >= t.until {
		return ErrLost
	}
	return nil
}

type termKey struct{}

// WithTerm makes Held check a term.
func WithTerm(ctx context.Context, r Term) context.Context {
	return context.WithValue(ctx, termKey{}, r)
}

// Held returns the error of the term in ctx, or nil if ctx has no term.
func Held(ctx context.Context) error {
	if r, ok := ctx.Value(termKey{}).(Term); ok {
		return r.Held()
	}
	return nil
}

// End records that the request was answered.
func (r Term) End() {
	t := r.tenure
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open--; t.open == 0 {
		t.wake()
	}
}

// Leave records that this replica is about to step down.
func (t *Tenure) Leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leaving = true
}

// Leaving reports whether clients should open a new connection for their next request:
// when a connection is closed at the end, a request may just have been sent on it.
func (t *Tenure) Leaving() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.leaving
}

// connected counts connections of this replica's server: n is 1 or -1.
func (t *Tenure) connected(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.connections += n; t.connections == 0 {
		t.wake()
	}
}

// drainWithin is how long connections may take to end once no new ones are accepted.
const drainWithin = 200 * time.Millisecond

// StepDown stops accepting connections, answers the connections that are being made,
// and takes no more requests once the open ones were answered or ctx has ended.
func (t *Tenure) StepDown(ctx context.Context) {
	close(t.closed)
	draining, cancel := context.WithTimeout(ctx, drainWithin)
	defer cancel()
	t.await(draining, func() bool { return t.connections == 0 })
	t.await(ctx, func() bool { return t.open == 0 })
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stepped = true
	t.wake()
}

// await waits until done returns true. It calls done with mu held.
func (t *Tenure) await(ctx context.Context, done func() bool) {
	for ctx.Err() == nil {
		t.mu.Lock()
		is, changed := done(), t.changed
		t.mu.Unlock()
		if is {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}
