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
	// leaseFor is how long others wait after they saw the Lease renewed.
	leaseFor = 3 * time.Second
	// validFor is how long the holder may answer after it began to renew. It is shorter
	// than leaseFor by more than clocks drift apart in that time.
	validFor = leaseFor - 250*time.Millisecond
	// renewWithin is how long the holder tries to renew before it gives the Lease up, and
	// renewEvery how long it waits between two renewals.
	renewWithin = 2 * time.Second
	renewEvery  = 400 * time.Millisecond
	// patience is how long requests wait for a server to become active: as long as it
	// takes until another one has taken over from one that died.
	patience = 6 * time.Second
)

var (
	// ErrElsewhere says that another replica is active, or about to be. A new connection
	// leads there.
	ErrElsewhere = errors.New("another server is active")
	// ErrNobody says that no server became active in time.
	ErrNobody = errors.New("no server is active")
	// ErrLost says that the Lease ran out while a request was worked on.
	ErrLost = errors.New("this server is not the active one any more")
)

// Tenure knows who is active. It is safe for concurrent use.
type Tenure struct {
	clock    Clock
	identity string

	mu      sync.Mutex
	changed chan struct{}
	// until is when the Lease may have run out; 0 while it is not held. From is when it is
	// certain that nobody else holds one.
	until, from time.Duration
	// epoch grows whenever another replica may have been active in between, transitions
	// is the Lease's own count of that.
	epoch       uint64
	transitions int
	// ready is the epoch for which the caches have caught up.
	ready uint64
	// other is who else holds the Lease, renewal when they renewed it, and unreachable
	// the renewal at which they could not be reached.
	other, renewal, unreachable string
	// vacant is since when nobody is known to be active; 0 while somebody is.
	vacant time.Duration
	// open are requests that are worked on, connections those of this replica's server.
	open, connections int
	// leaving says that this replica is about to step down, stepped that it has; closed is
	// closed when it is to accept no more connections.
	leaving, stepped bool
	closed           chan struct{}
	// released says that the Lease was given up by who held it last.
	released bool
}

// NewTenure returns the tenure of a replica that is known by identity.
func NewTenure(clock Clock, identity string) *Tenure {
	return &Tenure{clock: clock, identity: identity, changed: make(chan struct{}), closed: make(chan struct{})}
}

// wake tells all who wait that something changed. The caller holds mu.
func (t *Tenure) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// won notes that the Lease is held by a write that began at began. Created says that
// there was none: somebody may have deleted it while another replica held it.
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

// lost notes that the Lease is about to be given up.
func (t *Tenure) lost() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until, t.ready, t.other, t.renewal = 0, 0, "", ""
	t.wake()
}

// caughtUp notes that the caches have what was acknowledged before epoch began.
func (t *Tenure) caughtUp(epoch uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready = epoch
	t.wake()
}

// observe notes who holds the Lease, as somebody read it.
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

// unreach notes that holder could not be reached. It counts until they renew the Lease.
func (t *Tenure) unreach(holder string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.other == holder && t.unreachable == "" {
		t.unreachable = holder
		t.wake()
	}
}

// state is who answers REST at a moment.
type state struct {
	// held says that this replica holds the Lease, ready that its caches have caught up
	// since it does, and here that it answers.
	held, ready, here bool
	epoch             uint64
	// alone is how long it takes until it is certain that nobody else holds a Lease.
	alone time.Duration
	// other is who else is active; "" where nobody is known, or can be reached.
	other string
	// wait is how long a request is to wait for somebody to be active.
	wait    time.Duration
	changed <-chan struct{}
	// released says that who was active before has ended in good order.
	released bool
}

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

// Here reports whether this replica answers REST.
func (t *Tenure) Here() bool { return t.state().here }

// Term is the time in which one request is worked on. It must end.
type Term struct {
	tenure *Tenure
	epoch  uint64
}

// Begin waits until this replica is active, or it is known that it will not be. Where
// nobody has been for longer than it takes to take over, it does not wait.
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

// Held returns an error unless this replica has been the active one since the term began.
// What was read from the caches meanwhile is then all that was acknowledged by anybody.
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

// WithTerm has Held answer for a term.
func WithTerm(ctx context.Context, r Term) context.Context {
	return context.WithValue(ctx, termKey{}, r)
}

// Held returns the term's Held, or nil where there is none.
func Held(ctx context.Context) error {
	if r, ok := ctx.Value(termKey{}).(Term); ok {
		return r.Held()
	}
	return nil
}

// End says that the request was answered.
func (r Term) End() {
	t := r.tenure
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open--; t.open == 0 {
		t.wake()
	}
}

// Leave says that this replica is about to step down.
func (t *Tenure) Leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leaving = true
}

// Leaving reports whether clients are to connect again for their next request: a
// connection that is closed at the end could be one on which a request is on its way.
func (t *Tenure) Leaving() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.leaving
}

// connected counts a connection of this replica's server that begins or ends.
func (t *Tenure) connected(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.connections += n; t.connections == 0 {
		t.wake()
	}
}

// drainWithin is how long connections may take to end once no new ones are accepted.
const drainWithin = 200 * time.Millisecond

// StepDown has no more connections accepted, lets those that are just being made have their
// answer, and takes no more requests once those that are open have been answered or ctx
// has ended.
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

// await waits until done, which it calls with mu held.
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
