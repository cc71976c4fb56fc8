// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package requests

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/apiserver/pkg/authentication/user"
)

// ErrTooMany reports that the caller has more requests open than one caller may have,
// or that one waited too long for a turn.
var ErrTooMany = errors.New("too many requests at once")

// longestWait is how long a request waits for its turn.
const longestWait = 10 * time.Second

// Turns bounds how many requests are served at once, in total and for each caller.
// Further requests wait in a queue of their own caller, so a caller who sends many
// delays only itself.
type Turns struct {
	total           *semaphore.Weighted
	perCaller, open int64

	mu      sync.Mutex
	callers map[string]*line // only those with open requests
}

// line has the waiting requests of one caller.
type line struct {
	turns *semaphore.Weighted
	open  int64
}

// NewTurns returns turns for total requests at once, and perCaller of one caller. A
// caller may have open requests in all: the others wait, or their bodies are arriving.
func NewTurns(total, perCaller, open int) *Turns {
	return &Turns{
		total: semaphore.NewWeighted(int64(total)), perCaller: int64(min(perCaller, total)), open: int64(open),
		callers: map[string]*line{},
	}
}

// CallerOf returns the name under which a user's requests are counted. All service
// accounts of a Namespace count as one caller, because anyone who may create them can
// create any number.
func CallerOf(u user.Info) string {
	const prefix = "system:serviceaccount:"
	if rest, ok := strings.CutPrefix(u.GetName(), prefix); ok {
		namespace, _, _ := strings.Cut(rest, ":")
		return prefix + namespace
	}
	return u.GetName()
}

// Enter admits a request that will need turns, or returns ErrTooMany. The request must
// leave.
func (t *Turns) Enter(caller string) (*Turn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.callers[caller]
	if l == nil {
		l = &line{turns: semaphore.NewWeighted(t.perCaller)}
		t.callers[caller] = l
	}
	if l.open >= t.open {
		return nil, ErrTooMany
	}
	l.open++
	return &Turn{of: t, caller: caller, line: l}, nil
}

// Turn belongs to one request. It is not safe for concurrent use.
type Turn struct {
	of     *Turns
	caller string
	line   *line
	has    bool
}

// Begin waits for the request's turn.
func (t *Turn) Begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, longestWait, ErrTooMany)
	defer cancel()
	if err := t.line.turns.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	if err := t.of.total.Acquire(ctx, 1); err != nil {
		t.line.turns.Release(1)
		return context.Cause(ctx)
	}
	t.has = true
	return nil
}

// Pause gives the turn to others until Begin is called again.
func (t *Turn) Pause() {
	if t.has {
		t.has = false
		t.of.total.Release(1)
		t.line.turns.Release(1)
	}
}

// Leave releases the turn and the request's place.
func (t *Turn) Leave() {
	t.Pause()
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.line.open--; t.line.open == 0 {
		delete(t.of.callers, t.caller)
	}
}

type turnKey struct{}

// WithTurn makes ReadBody give up the turn while it waits for the body.
func WithTurn(ctx context.Context, t *Turn) context.Context {
	return context.WithValue(ctx, turnKey{}, t)
}
