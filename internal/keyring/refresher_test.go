// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// server stands for the API server: what is stored, and how often and when it
// was asked. Its methods run in a synctest bubble, whose time is fake.
type server struct {
	ring *Ring

	mu     sync.Mutex
	stored []Key
	reads  []time.Time
	err    error
	// took is how long an answer travels after the keys were read.
	took time.Duration
}

func newServer() *server {
	s := &server{}
	s.ring = NewRing(func(ctx context.Context) error {
		s.mu.Lock()
		s.reads = append(s.reads, time.Now())
		keys, err, took := append([]Key(nil), s.stored...), s.err, s.took
		s.mu.Unlock()
		select {
		case <-time.After(took):
		case <-ctx.Done():
			return ctx.Err()
		}
		s.ring.Learn(keys)
		return err
	})
	return s
}

func (s *server) store(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored = append(s.stored, key)
}

func (s *server) readCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.reads)
}

// madeUp returns a well-formed text that names a key nobody has.
func madeUp(text string, n int) string {
	return fmt.Sprintf("lk1.%016x.%s", n, text[strings.LastIndex(text, ".")+1:])
}

func TestOpenReloadsForAnUnknownKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, key := newServer(), newKey(t, epoch)
		s.store(key)
		start := time.Now()
		wantOpens(t, s.ring, sealWith(t, key, "v"), "v")
		wantOpens(t, s.ring, sealWith(t, key, "w"), "w")
		if got := s.readCount(); got != 1 {
			t.Errorf("%d reloads, want 1", got)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("the first reload waited %s", got)
		}
	})
}

func TestMadeUpKeyIDsCostOneReloadPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		text := sealWith(t, newKey(t, epoch), "v")
		const seconds, perSecond = 10, 50
		var wg sync.WaitGroup
		for n := range seconds * perSecond {
			<-time.After(time.Second / perSecond) // Of the bubble: takes no time.
			wg.Go(func() {
				began := time.Now()
				if _, err := s.ring.Open(t.Context(), object, madeUp(text, n)); !errors.Is(err, ErrUnknownKey) {
					t.Errorf("Open() = %v, want ErrUnknownKey", err)
				}
				if waited := time.Since(began); waited > reloadRest {
					t.Errorf("Open() took %s", waited)
				}
			})
		}
		wg.Wait()
		if got := s.readCount(); got < 2 || got > seconds+1 {
			t.Errorf("%d reloads in %d seconds", got, seconds)
		}
		for i := 1; i < len(s.reads); i++ {
			if gap := s.reads[i].Sub(s.reads[i-1]); gap < reloadRest {
				t.Errorf("two reloads are %s apart", gap)
			}
		}
	})
}

func TestAMadeUpKeyIDIsAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		text := sealWith(t, newKey(t, epoch), "v")
		start := time.Now()
		for range 1000 {
			if _, err := s.ring.Open(t.Context(), object, text); !errors.Is(err, ErrUnknownKey) {
				t.Fatalf("Open() = %v, want ErrUnknownKey", err)
			}
		}
		if got := s.readCount(); got != 1 {
			t.Errorf("%d reloads, want 1", got)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("1000 values of one lost key took %s", got)
		}
		<-time.After(absentFor)
		_, _ = s.ring.Open(t.Context(), object, text)
		if got := s.readCount(); got != 2 {
			t.Errorf("%d reloads after the memory has ended, want 2", got)
		}
	})
}

func TestTheMemoryOfMadeUpKeyIDsIsBounded(t *testing.T) {
	r := newRefresher(nil)
	for n := range 10 * maxAbsent {
		r.setAbsent(fmt.Sprint(n))
		if !r.isAbsent(fmt.Sprint(n)) {
			t.Fatal("the latest id is not remembered")
		}
	}
	if got := len(r.absent); got > maxAbsent {
		t.Errorf("%d ids remembered, want at most %d", got, maxAbsent)
	}
}

func TestANewKeyIsFoundRightAfterAMadeUpOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, key := newServer(), newKey(t, epoch)
		text := sealWith(t, key, "v")
		_, _ = s.ring.Open(t.Context(), object, madeUp(text, 1)) // Takes the turn of this second.
		s.store(key)
		start := time.Now()
		wantOpens(t, s.ring, text, "v")
		if got := time.Since(start); got > reloadRest {
			t.Errorf("took %s, want at most %s", got, reloadRest)
		}
	})
}

// The reload that is under way read the keys before the new one was stored; its
// answer must not count for a value that was sealed after.
func TestAReloadThatBeganTooEarlyDoesNotDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, key := newServer(), newKey(t, epoch)
		s.took = 3 * time.Second
		text := sealWith(t, key, "v")
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = s.ring.Open(t.Context(), object, madeUp(text, 1)) })
		synctest.Wait() // That reload has read and its answer is on the way.
		s.store(key)
		wantOpens(t, s.ring, text, "v")
		wg.Wait()
		if got := s.readCount(); got != 2 {
			t.Errorf("%d reloads, want 2", got)
		}
	})
}

func TestOneCallerGivingUpDoesNotFailTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, key := newServer(), newKey(t, epoch)
		text := sealWith(t, key, "v")
		_, _ = s.ring.Open(t.Context(), object, madeUp(text, 1)) // Takes the turn of this second.
		s.store(key)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := s.ring.Open(ctx, object, text); !errors.Is(err, context.Canceled) {
				t.Errorf("Open() = %v, want that it was cancelled", err)
			}
		})
		synctest.Wait() // The reload for it waits for its turn.
		wg.Go(func() {
			if _, err := s.ring.Open(t.Context(), object, text); err != nil {
				t.Errorf("Open() = %v for the one who did not give up", err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		if got := s.readCount(); got != 2 {
			t.Errorf("%d reloads, want the first and one for both", got)
		}
	})
}

func TestAFailedReloadSaysNothingAboutTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, key := newServer(), newKey(t, epoch)
		s.store(key)
		down := errors.New("connection refused")
		s.stored, s.err = nil, down
		text := sealWith(t, key, "v")
		if _, err := s.ring.Open(t.Context(), object, text); !errors.Is(err, down) || errors.Is(err, ErrUnknownKey) {
			t.Errorf("Open() = %v, want the failure and not ErrUnknownKey", err)
		}
		s.stored, s.err = []Key{key}, nil
		wantOpens(t, s.ring, text, "v")
	})
}

func TestABrokenKeyDoesNotHideTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, key := newServer(), newKey(t, epoch)
		s.store(key)
		s.err = fmt.Errorf("secret x: %w", ErrBrokenKey)
		text := sealWith(t, key, "v")
		wantOpens(t, s.ring, text, "v")
		_, err := s.ring.Open(t.Context(), object, madeUp(text, 1))
		if !errors.Is(err, ErrUnknownKey) || !errors.Is(err, ErrBrokenKey) {
			t.Errorf("Open() = %v, want ErrUnknownKey, and the broken key named", err)
		}
	})
}

func TestAReloadThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.took = time.Hour
		start := time.Now()
		_, err := s.ring.Open(t.Context(), object, sealWith(t, newKey(t, epoch), "v"))
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUnknownKey) {
			t.Errorf("Open() = %v, want that the reload took too long", err)
		}
		if got := time.Since(start); got > reloadTimeout {
			t.Errorf("took %s, want at most %s", got, reloadTimeout)
		}
	})
}
