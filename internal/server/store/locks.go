// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"sync"

	"github.com/latchkey-dev/latchkey/internal/recheck"
)

// locks serialize the writes of each tenant. The zero value is ready to use.
type locks struct {
	mu   sync.Mutex
	byNS map[string]*tenantLock
}

type tenantLock struct {
	turn  chan struct{} // has one token while the lock is free
	users int
}

// lock waits until no other request writes for the tenant, and checks that this request
// may still write. The holder of the lock may be waiting for a turn among the caller's
// requests, so a request that waits for the lock gives up its turn.
func (c *core) lock(ctx context.Context, namespace string) (unlock func(), err error) {
	l := c.locks.join(namespace)
	locked := false
	unlock = func() {
		if locked {
			l.turn <- struct{}{}
		}
		c.locks.leave(namespace, l)
	}
	err = recheck.Paused(ctx, func() error {
		select {
		case <-l.turn:
			locked = true
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%w: other writes of the tenant: %w", ErrUnavailable, ctx.Err())
		}
	})
	if err != nil {
		unlock()
		return nil, err
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
