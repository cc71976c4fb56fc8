// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"context"
	"sync"
	"time"

	"github.com/latchkey-dev/latchkey/internal/recheck"
)

const (
	// reloadRest is the pause after a reload.
	reloadRest = time.Second

	// reloadTimeout bounds one reload. It is below the 10 s that the API server gives an
	// admission webhook by default.
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
//   - One reload runs at a time, a second after the last one, and all callers share its
//     result. A caller that comes too early waits for the next one instead of being
//     turned away, since its key may be a new one: the second is a delay, never a wrong
//     answer.
//   - A key id that a reload did not find is remembered for a while. Ids are
//     hashes of keys, so nobody can name a key before it exists, and what is
//     absent once stays absent. Without this, a thousand values of one lost key
//     would take a thousand turns.
type refresher struct {
	reloads *recheck.Lookups[struct{}, struct{}]

	mu     sync.Mutex
	absent map[string]time.Time
}

func newRefresher(reload func(context.Context) error) *refresher {
	reloads := recheck.New(func(ctx context.Context, _ struct{}) (struct{}, error) {
		return struct{}{}, reload(ctx)
	})
	reloads.Patience = reloadTimeout
	reloads.Rest = func(time.Duration) time.Duration { return reloadRest }
	return &refresher{reloads: reloads, absent: map[string]time.Time{}}
}

// refresh returns when a reload that began after the call has ended, with its
// error.
func (r *refresher) refresh(ctx context.Context) error {
	_, err := r.reloads.Do(ctx, struct{}{})
	return err
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
