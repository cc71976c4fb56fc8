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

// ErrTooMany says that the caller has more requests open than one caller may, or that
// theirs waited too long for a turn.
var ErrTooMany = errors.New("too many requests at once")

// longestWait is for how long a request waits for its turn.
const longestWait = 10 * time.Second

// Turns bounds how many requests are served at once: in total, and of each caller. Who
// comes on top waits in the line of their own caller, so that one who sends many makes
// only themselves wait.
type Turns struct {
	total           *semaphore.Weighted
	perCaller, open int64

	mu      sync.Mutex
	callers map[string]*line // only those that have requests open
}

// line is where the requests of one caller wait.
type line struct {
	turns *semaphore.Weighted
	open  int64
}

// NewTurns returns turns for total requests at once, of which perCaller are one caller's.
// A caller may have so many open: others wait, or their bodies are on their way.
func NewTurns(total, perCaller, open int) *Turns {
	return &Turns{
		total: semaphore.NewWeighted(int64(total)), perCaller: int64(min(perCaller, total)), open: int64(open),
		callers: map[string]*line{},
	}
}

// CallerOf returns under which name a user's requests are counted. Whoever may make
// service accounts in a Namespace can be as many of them as they like, so they count as
// one.
func CallerOf(u user.Info) string {
	const prefix = "system:serviceaccount:"
	if rest, ok := strings.CutPrefix(u.GetName(), prefix); ok {
		namespace, _, _ := strings.Cut(rest, ":")
		return prefix + namespace
	}
	return u.GetName()
}

// Enter lets a request in that wants turns later, or answers ErrTooMany. It must leave.
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

// Turn is one request's. It is not safe for concurrent use.
type Turn struct {
	of     *Turns
	caller string
	line   *line
	has    bool
}

// Begin waits until it is the request's turn.
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

// Pause gives the turn to others until Begin.
func (t *Turn) Pause() {
	if t.has {
		t.has = false
		t.of.total.Release(1)
		t.line.turns.Release(1)
	}
}

// Leave gives everything back.
func (t *Turn) Leave() {
	t.Pause()
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.line.open--; t.line.open == 0 {
		delete(t.of.callers, t.caller)
	}
}

type turnKey struct{}

// WithTurn makes ReadBody give up the turn for as long as it waits for the body.
func WithTurn(ctx context.Context, t *Turn) context.Context {
	return context.WithValue(ctx, turnKey{}, t)
}
