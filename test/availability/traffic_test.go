// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package availability

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/latchkey-dev/latchkey/test/conformance"
)

// stall is what one kind of request went through.
type stall struct {
	refused, answered int
	longest           time.Duration // between two answers that were good
	why               string        // the last one was refused
}

func (s stall) String() string {
	return strings.TrimSpace(fmt.Sprintf("%d refused of %d, longest stall %s %s",
		s.refused, s.refused+s.answered, s.longest.Round(10*time.Millisecond), s.why))
}

// traffic sends requests all the time and notes how they fare.
type traffic struct {
	stop    context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex
	stalls  map[string]*stall
}

// request is one kind of request that goes on all the time.
type request struct {
	name string
	send func(ctx context.Context, n int) (why string) // "" where it was answered well
}

// start sends each kind of request, one after the other.
func start(ctx context.Context, requests ...request) *traffic {
	ctx, stop := context.WithCancel(ctx)
	t := &traffic{stop: stop, stalls: map[string]*stall{}}
	for _, r := range requests {
		s := &stall{}
		t.stalls[r.name] = s
		t.running.Go(func() {
			last := time.Now()
			for n := 0; ctx.Err() == nil; n++ {
				why := r.send(ctx, n)
				good := why == ""
				if ctx.Err() != nil {
					return
				}
				t.mu.Lock()
				if good {
					s.answered++
					s.longest = max(s.longest, time.Since(last))
					last = time.Now()
				} else {
					s.refused++
					s.why = why
				}
				t.mu.Unlock()
				pace(ctx, good)
			}
		})
	}
	return t
}

// pace is a client's pause between two requests.
func pace(ctx context.Context, good bool) {
	pause := 5 * time.Millisecond
	if !good {
		pause = 50 * time.Millisecond
	}
	select {
	case <-time.After(pause):
	case <-ctx.Done():
	}
}

// end returns what the requests went through.
func (t *traffic) end() map[string]stall {
	t.stop()
	t.running.Wait()
	out := map[string]stall{}
	for name, s := range t.stalls {
		out[name] = *s
	}
	return out
}

// answered returns how many requests of a kind were good so far.
func (t *traffic) answered(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stalls[name].answered
}

// reads and writes are a user's requests by one face.
func reads(f conformance.Face, header http.Header) request {
	return request{"read", func(ctx context.Context, _ int) string {
		got, err := f.Do(ctx, http.MethodGet, f.Coder+"/users/me/secrets", header, "")
		return whyNot(got, err)
	}}
}

func writes(f conformance.Face, header http.Header) request {
	return request{"write", func(ctx context.Context, n int) string {
		got, err := f.Do(ctx, http.MethodPatch, f.Coder+"/users/me/secrets/s", header, fmt.Sprintf(`{"value":"v%d"}`, n))
		return whyNot(got, err)
	}}
}

func discovery(f conformance.Face, header http.Header) request {
	return request{"discovery", func(ctx context.Context, _ int) string {
		got, err := f.Do(ctx, http.MethodGet, f.Base+"/apis/coder.latchkey.dev/v2", header, "")
		return whyNot(got, err)
	}}
}

// whyNot says why an answer is not good.
func whyNot(got conformance.Answer, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case got.Status != http.StatusOK:
		return fmt.Sprintf("%d %s", got.Status, got.Body)
	}
	return ""
}
