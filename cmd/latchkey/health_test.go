// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/latchkey-dev/latchkey/internal/keyring"
)

// checked is a manager that keeps what is added to it.
type checked struct {
	ctrl.Manager
	runnable      manager.Runnable
	health, ready map[string]healthz.Checker
	synced        chan struct{}
}

func (m *checked) Add(r manager.Runnable) error { m.runnable = r; return nil }

func (m *checked) GetCache() cache.Cache { return stubCache{synced: m.synced} }

// stubCache has synced when the channel is closed.
type stubCache struct {
	cache.Cache
	synced chan struct{}
}

func (c stubCache) WaitForCacheSync(ctx context.Context) bool {
	select {
	case <-c.synced:
		return true
	case <-ctx.Done():
		return false
	}
}

func (m *checked) AddHealthzCheck(name string, c healthz.Checker) error {
	m.health[name] = c
	return nil
}

func (m *checked) AddReadyzCheck(name string, c healthz.Checker) error { m.ready[name] = c; return nil }

// failing returns the names of the readiness checks that fail.
func (m *checked) failing() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m.ready)) {
		if m.ready[name](nil) != nil {
			out = append(out, name)
		}
	}
	return out
}

func TestReadyMeansReady(t *testing.T) {
	m := &checked{health: map[string]healthz.Checker{}, ready: map[string]healthz.Checker{}, synced: make(chan struct{})}
	ring := keyring.NewRing(nil)
	extra := errors.New("no certificate")
	if err := addChecks(m, ring, map[string]func() error{"certificate": func() error { return extra }, "replicas": func() error { return nil }}); err != nil {
		t.Fatal(err)
	}
	if ping := m.health["ping"]; ping == nil || ping(nil) != nil {
		t.Error("a process that runs is not alive")
	}
	if r, ok := m.runnable.(manager.LeaderElectionRunnable); !ok || r.NeedLeaderElection() {
		t.Error("only the leader becomes ready")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error)
	go func() { done <- m.runnable.Start(ctx) }()

	wantFailing(t, m, "at first", "caches", "certificate", "keys")
	key, err := keyring.NewKey(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	ring.Learn([]keyring.Key{key})
	wantFailing(t, m, "with a key", "caches", "certificate")
	extra = nil
	wantFailing(t, m, "with a certificate", "caches")
	close(m.synced)
	for ctx.Err() == nil && len(m.failing()) > 0 {
		runtime.Gosched()
	}
	wantFailing(t, m, "with its caches")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("it ends with %v", err)
	}
}

func wantFailing(t *testing.T, m *checked, when string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, m.failing()); diff != "" {
		t.Errorf("%s, these are not ready (-want +got):\n%s", when, diff)
	}
}
