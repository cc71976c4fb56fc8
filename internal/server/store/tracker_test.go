// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

func at(version string) *v1alpha1.UserSecret {
	return &v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: "a", UID: "1", ResourceVersion: version}}
}

// bounded is a context for waits that should end at once.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestTrackerKeepsTheHighestVersion(t *testing.T) {
	trs := newTrackers(nil)
	tr := trs.of("alice")
	for _, step := range []struct {
		name string
		does func()
		want uint64
	}{
		{"an object", func() { trs.OnAdd(at("5"), true) }, 5},
		{"an update", func() { trs.OnUpdate(at("5"), at("9")) }, 9},
		{"an older object of a list", func() { trs.OnAdd(at("7"), true) }, 9},
		{"versions as numbers, not as text", func() { trs.OnUpdate(at("9"), at("10")) }, 10},
		{"a deletion", func() { trs.OnDelete(at("12")) }, 12},
		{"a deletion that was missed", func() { trs.OnDelete(toolscache.DeletedFinalStateUnknown{Obj: at("13")}) }, 13},
		{"a deletion of which nothing is known", func() { trs.OnDelete(toolscache.DeletedFinalStateUnknown{}) }, 13},
		{"a version that is none", func() { trs.OnAdd(at("x"), false) }, 13},
		{"what is no object", func() { trs.OnAdd("x", false) }, 13},
	} {
		_, before := tr.state()
		step.does()
		seen, _ := tr.state()
		if seen != step.want {
			t.Errorf("after %s, seen = %d, want %d", step.name, seen, step.want)
		}
		select {
		case <-before:
		default:
			t.Errorf("after %s, nobody is woken", step.name)
		}
	}
}

// TestNobodyWhoWaitsIsForgotten has many wait for versions that others make seen at
// the same time. A waiter that misses its event waits until the test fails.
func TestNobodyWhoWaitsIsForgotten(t *testing.T) {
	const waiters, versions = 64, 500
	tr, ctx := newTracker(), bounded(t)
	var group sync.WaitGroup
	for i := range waiters {
		group.Go(func() {
			for v := i; v <= versions; v += waiters / 4 {
				var last uint64
				err := tr.until(ctx, func(seen uint64) bool { last = seen; return seen >= uint64(v) })
				if err != nil || last < uint64(v) {
					t.Errorf("waiting for %d ended at %d: %v", v, last, err)
					return
				}
			}
		})
	}
	var next atomic.Uint64
	for range 4 {
		group.Go(func() {
			for n := next.Add(1); n <= versions; n = next.Add(1) {
				tr.observe(n)
			}
		})
	}
	group.Wait()
	if seen, _ := tr.state(); seen != versions {
		t.Errorf("seen = %d, want %d", seen, versions)
	}
}

func TestAWaitEndsWithItsRequest(t *testing.T) {
	tr := newTracker()
	ctx, cancel := context.WithCancel(t.Context())
	looked := make(chan struct{}, 1)
	result := make(chan error)
	go func() {
		result <- tr.until(ctx, func(uint64) bool { looked <- struct{}{}; return false })
	}()
	<-looked
	cancel()
	if err := <-result; !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("until = %v, want ErrUnavailable and the cause", err)
	}
	if err := tr.until(ctx, func(uint64) bool { return true }); err != nil {
		t.Errorf("until = %v where nothing is to wait for", err)
	}
}

func TestSeenWaitsUntilAnObjectIsGone(t *testing.T) {
	var there atomic.Bool
	there.Store(true)
	asked := make(chan string, 100)
	c := &core{trackers: newTrackers(nil), present: func(_ context.Context, key client.ObjectKey, uid types.UID) bool {
		asked <- fmt.Sprint(key, " ", uid)
		return there.Load()
	}}
	result, ctx := make(chan error), bounded(t)
	go func() { result <- c.untilSeen(ctx, goneMark(at("5"))) }()
	if got, want := <-asked, "alice/a 1"; got != want {
		t.Errorf("asked for %q, want %q", got, want)
	}
	c.trackers.OnAdd(at("99"), false) // a version is not enough
	<-asked
	there.Store(false)
	c.trackers.OnDelete(at("100"))
	if err := <-result; err != nil {
		t.Errorf("seen = %v", err)
	}
}

func TestParseVersion(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want uint64
	}{
		"a number is one":                  {"42", 42},
		"the largest number is one":        {"18446744073709551615", 18446744073709551615},
		"a larger one is none":             {"18446744073709551616", 0},
		"an object that was never stored":  {"", 0},
		"another server's version is none": {"etcd-5", 0},
		"a negative number is none":        {"-1", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parseVersion(tt.in); got != tt.want {
				t.Errorf("parseVersion(%q) = %d, want %d", tt.in, got, tt.want)
			}
		})
	}
}
