// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"sync"
)

// locks order the writes of each tenant. The zero value is ready for use.
type locks struct {
	mu   sync.Mutex
	byNS map[string]*tenantLock
}

type tenantLock struct {
	turn  chan struct{} // holds one token while nobody has the lock
	users int
}

// lock waits until no other request writes for the tenant, and until it is known that this
// one still may.
func (c *core) lock(ctx context.Context, namespace string) (unlock func(), err error) {
	l := c.locks.join(namespace)
	leave := func() { c.locks.leave(namespace, l) }
	select {
	case <-l.turn:
	case <-ctx.Done():
		leave()
		return nil, fmt.Errorf("%w: other writes of the tenant: %w", ErrUnavailable, ctx.Err())
	}
	unlock = func() {
		l.turn <- struct{}{}
		leave()
	}
	if c.Held == nil {
		return unlock, nil
	}
	if err := c.Held(ctx); err != nil {
		unlock()
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return unlock, nil
}

func (ls *locks) join(namespace string) *tenantLock {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.byNS[namespace]
	if l == nil {
		if ls.byNS == nil {
			ls.byNS = map[string]*tenantLock{}
		}
		l = &tenantLock{turn: make(chan struct{}, 1)}
		l.turn <- struct{}{}
		ls.byNS[namespace] = l
	}
	l.users++
	return l
}

func (ls *locks) leave(namespace string, l *tenantLock) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(ls.byNS, namespace)
	}
}
