// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

const (
	// reloadInterval is the minimum time between the starts of two reloads.
	reloadInterval = time.Second

	// reloadTimeout bounds one reload, including the wait for its turn. It is below the
	// 10 s that the API server gives an admission webhook by default.
	reloadTimeout = 8 * time.Second

	// absentFor is how long a key id that a reload did not find counts as unknown
	// without another reload. It ends so that a key restored from a backup is found
	// even if no watch runs.
	absentFor = 30 * time.Second

	// maxAbsent bounds the memory for invented key ids.
	maxAbsent = 1024
)

// refresher rations reloads, because the key id of a text is chosen by the one who
// wrote it.
//
//   - One reload runs at a time and all callers share its result.
//   - Reloads begin at least a second apart. A caller that comes too early
//     waits for the next one instead of being turned away, since its key may be
//     a new one: the second is a delay, never a wrong answer.
//   - A key id that a reload did not find is remembered for a while. Ids are
//     hashes of keys, so nobody can name a key before it exists, and what is
//     absent once stays absent. Without this, a thousand values of one lost key
//     would take a thousand turns.
type refresher struct {
	reload func(context.Context) error
	flight singleflight.Group
	limit  *rate.Limiter
	// begun counts the reloads that have begun.
	begun atomic.Uint64

	mu     sync.Mutex
	absent map[string]time.Time
}

func newRefresher(reload func(context.Context) error) *refresher {
	return &refresher{
		reload: reload,
		limit:  rate.NewLimiter(rate.Every(reloadInterval), 1),
		absent: map[string]time.Time{},
	}
}

// refresh returns when a reload that began after the call has ended, with its
// error.
func (r *refresher) refresh(ctx context.Context) error {
	before := r.begun.Load()
	for {
		done := r.flight.DoChan("", func() (any, error) {
			// For all who wait, so it must not end with the caller who came
			// first.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reloadTimeout)
			defer cancel()
			err := r.limit.Wait(ctx)
			number := r.begun.Add(1)
			if err != nil {
				return number, err
			}
			return number, r.reload(ctx)
		})
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case result := <-done:
			// A reload that was under way when we came may have read the keys
			// before ours was made. The one after it cannot have: a caller
			// loops at most once.
			if number, _ := result.Val.(uint64); number > before {
				return result.Err
			}
		}
	}
}

// isAbsent reports whether a recent reload did not find the key.
func (r *refresher) isAbsent(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	since, ok := r.absent[id]
	return ok && time.Since(since) < absentFor
}

// setAbsent records that a reload did not find the key. A full memory is cleared: it
// only saves work.
func (r *refresher) setAbsent(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.absent) >= maxAbsent {
		clear(r.absent)
	}
	r.absent[id] = time.Now()
}
