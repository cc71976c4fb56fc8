// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package budget bounds what requests may hold at once: bytes of bodies, or turns to be
// served. A Budget has a total and, if callers are known, a cap for each caller, so
// that no caller can use up what all share. It only counts: it reads no body and knows
// no protocol.
package budget

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/semaphore"
)

var (
	// ErrFull reports that others hold so much that the total does not suffice.
	ErrFull = errors.New("budget: used up by all callers together")
	// ErrCaller reports that the caller would hold more than one caller may.
	ErrCaller = errors.New("budget: used up by this caller")
)

// Budget is an amount that is handed out and returned. It is safe for concurrent use.
type Budget struct {
	size, perCaller int64
	total           *semaphore.Weighted

	mu      sync.Mutex
	callers map[string]int64 // only those that hold something
}

// New returns a budget of size, of which each caller may hold perCaller at once; 0
// means no cap.
func New(size, perCaller int64) *Budget {
	return &Budget{size: size, perCaller: perCaller, total: semaphore.NewWeighted(size), callers: map[string]int64{}}
}

// Share returns an empty share of caller for one request. It must be released.
func (b *Budget) Share(caller string) *Share { return &Share{budget: b, caller: caller} }

// Held returns how much a caller holds in all its requests.
func (b *Budget) Held(caller string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.callers[caller]
}

// Share is what one request holds. It is not safe for concurrent use.
type Share struct {
	budget *Budget
	caller string
	held   int64
}

// Take takes n more, for example for each part of a body that arrives, or returns
// ErrFull or ErrCaller at once.
func (s *Share) Take(n int64) error {
	if err := s.charge(n); err != nil {
		return err
	}
	if !s.budget.total.TryAcquire(n) {
		s.discharge(n)
		return ErrFull
	}
	s.held += n
	return nil
}

// Await is Take, but waits until others have released enough, or returns ctx's error.
// Take all that a request needs in one call: shares that wait while they hold something
// can wait for each other forever.
func (s *Share) Await(ctx context.Context, n int64) error {
	if n > s.budget.size {
		return ErrFull // so much will never be free
	}
	if err := s.charge(n); err != nil {
		return err
	}
	if err := s.budget.total.Acquire(ctx, n); err != nil {
		s.discharge(n)
		return err
	}
	s.held += n
	return nil
}

// Release returns everything. A second call does nothing.
func (s *Share) Release() {
	if s.held == 0 {
		return
	}
	s.discharge(s.held)
	s.budget.total.Release(s.held)
	s.held = 0
}

func (s *Share) charge(n int64) error {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.perCaller > 0 && b.callers[s.caller]+n > b.perCaller {
		return ErrCaller
	}
	if n > 0 {
		b.callers[s.caller] += n
	}
	return nil
}

func (s *Share) discharge(n int64) {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.callers[s.caller] -= n; b.callers[s.caller] <= 0 {
		delete(b.callers, s.caller)
	}
}
