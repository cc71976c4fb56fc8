// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package recheck limits how often objects that a cache does not have are looked up at
// their source. It owns the pace of the lookups and does not know what they look for.
package recheck

import (
	"context"
	"sync"
	"time"
)

const (
	// patience is how long one lookup may take.
	patience = 10 * time.Second
	// minRest is the shortest rest after a lookup.
	minRest = 20 * time.Millisecond
	// width is how many keys are looked up at once.
	width = 8
)

// restAfter is twice as long as the lookup took, so that at most a third of the time is
// spent on one key.
func restAfter(took time.Duration) time.Duration { return max(minRest, 2*took) }

// Lookups looks things up for many callers. A caller gets the result of a lookup that
// began after its call; all callers that arrive during a lookup share the next one. So
// a miss always gets a current answer, and however many misses there are, the source
// sees one lookup after the other for each key, with pauses.
type Lookups[K comparable, T any] struct {
	// Patience is how long one lookup may take: 10 s, unless it is set before the first.
	Patience time.Duration
	// Rest returns how long nothing is looked up again for a key after a lookup that took
	// that long: twice as long, unless it is set before the first.
	Rest func(took time.Duration) time.Duration

	look   func(context.Context, K) (T, error)
	places chan struct{}

	mu sync.Mutex
	// next holds the lookups that have not begun, active the keys that somebody works on.
	next   map[K]*lookup[T]
	active map[K]bool
}

type lookup[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// New returns lookups by a function.
func New[K comparable, T any](look func(context.Context, K) (T, error)) *Lookups[K, T] {
	return &Lookups[K, T]{
		Patience: patience, Rest: restAfter,
		look: look, places: make(chan struct{}, width), next: map[K]*lookup[T]{}, active: map[K]bool{},
	}
}

// Pauser holds what others could use while its holder waits for a lookup.
type Pauser interface {
	// Pause gives it up, and Begin gets it back, or fails.
	Pause()
	Begin(ctx context.Context) error
}

type pauserKey struct{}

// WithPauser has p pause while a lookup is waited for.
func WithPauser(ctx context.Context, p Pauser) context.Context {
	return context.WithValue(ctx, pauserKey{}, p)
}

// Paused calls wait while others may use what ctx has a Pauser for. A caller that waits
// for another one that may need it must give it up, or both wait for ever.
func Paused(ctx context.Context, wait func() error) error {
	p, ok := ctx.Value(pauserKey{}).(Pauser)
	if !ok {
		return wait()
	}
	p.Pause()
	err := wait()
	if again := p.Begin(ctx); err == nil {
		err = again
	}
	return err
}

// Do returns what key is now, or ctx's error.
func (l *Lookups[K, T]) Do(ctx context.Context, key K) (value T, err error) {
	err = Paused(ctx, func() error {
		value, err = l.do(ctx, key)
		return err
	})
	return value, err
}

func (l *Lookups[K, T]) do(ctx context.Context, key K) (T, error) {
	l.mu.Lock()
	mine := l.next[key]
	if mine == nil {
		mine = &lookup[T]{done: make(chan struct{})}
		l.next[key] = mine
	}
	if !l.active[key] {
		l.active[key] = true
		go l.work(context.WithoutCancel(ctx), key)
	}
	l.mu.Unlock()
	select {
	case <-mine.done:
		return mine.value, mine.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// work looks key up, and again after a rest, for as long as somebody asks.
func (l *Lookups[K, T]) work(ctx context.Context, key K) {
	l.places <- struct{}{} // those who ask from now on still share this lookup
	l.mu.Lock()
	mine := l.next[key]
	delete(l.next, key)
	if mine == nil {
		delete(l.active, key)
		l.mu.Unlock()
		<-l.places
		return
	}
	l.mu.Unlock()
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, l.Patience)
	mine.value, mine.err = l.look(limited, key)
	cancel()
	<-l.places
	close(mine.done)
	time.AfterFunc(l.Rest(time.Since(began)), func() { l.work(ctx, key) })
}
