// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestPace_ChangesKeepComing_EachRestIsLonger(t *testing.T) {
	var p pace
	now := noon
	var got []time.Duration
	for range 10 {
		if wait := p.wait("alice", now); wait > 0 {
			t.Fatalf("%s too early", wait)
		}
		p.wrote("alice", now, time.Millisecond, 2)
		wait := p.wait("alice", now)
		got = append(got, wait)
		now = now.Add(wait)
	}
	ms := time.Millisecond
	want := []time.Duration{10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, time.Second, time.Second, time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rests (-want +got):\n%s", diff)
	}
	if wait := p.wait("bob", now); wait > 0 {
		t.Errorf("another tenant waits for %s", wait)
	}
}

func TestPace_Rest(t *testing.T) {
	busy := func(n int) func(*pace) {
		return func(p *pace) {
			for i := range n {
				p.wrote(fmt.Sprint("tenant", i), noon, 0, 1)
			}
		}
	}
	for name, tt := range map[string]struct {
		before   func(*pace)
		took     time.Duration
		after    time.Duration // since the tenants before
		together int
		want     time.Duration
	}{
		"a quiet cluster":                        {func(*pace) {}, 0, 0, 0, 10 * time.Millisecond},
		"a write that took long":                 {func(*pace) {}, 300 * time.Millisecond, 0, 0, 300 * time.Millisecond},
		"a write that took very long":            {func(*pace) {}, time.Hour, 0, 0, longestRest},
		"a busy cluster":                         {busy(20), 0, 0, 0, 210 * time.Millisecond},
		"a very busy cluster":                    {busy(1000), 0, 0, 0, longestRest},
		"a cluster that was busy a moment ago":   {busy(20), 0, remembered, 0, 210 * time.Millisecond},
		"a cluster that was busy a while ago":    {busy(20), 0, 2 * remembered, 0, 10 * time.Millisecond},
		"a tenant that was written a while ago":  {func(p *pace) { p.wrote("alice", noon, longestRest, 1) }, 0, 2 * remembered, 0, 10 * time.Millisecond},
		"a tenant that is written all the time":  {func(p *pace) { p.wrote("alice", noon, longestRest, 1) }, 0, longestRest, 2, longestRest},
		"a tenant whose changes come one by one": {func(p *pace) { p.wrote("alice", noon, longestRest, 1) }, 0, longestRest, 1, 10 * time.Millisecond},
		"a tenant of two turns is counted once":  {func(p *pace) { p.wrote("alice", noon, 0, 1) }, 0, remembered, 0, 10 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			var p pace
			p.wait("", noon)
			tt.before(&p)
			now := noon.Add(tt.after)
			p.wrote("alice", now, tt.took, max(tt.together, 1))
			if got := p.wait("alice", now); got != tt.want {
				t.Errorf("rests for %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPace_TenantsThatAreQuiet_AreForgotten(t *testing.T) {
	var p pace
	for i := range 1000 {
		p.wrote(fmt.Sprint("tenant", i), noon, 0, 1)
	}
	p.wait("alice", noon.Add(remembered))
	p.wait("alice", noon.Add(2*remembered))
	if n := len(p.late) + len(p.earlier); n > 0 {
		t.Errorf("%d tenants are remembered", n)
	}
}

// work has a reconciler work off a queue, as a controller does, until end.
func work(t *testing.T, r *Reconciler, turn *sync.Mutex) (q queue, end func()) {
	t.Helper()
	q = workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			req, over := q.Get()
			if over {
				return
			}
			turn.Lock()
			result, err := r.Reconcile(t.Context(), req)
			turn.Unlock()
			if err != nil {
				t.Error(err)
			}
			if result.RequeueAfter > 0 {
				q.AddAfter(req, result.RequeueAfter)
			}
			q.Done(req)
		}
	}()
	return q, func() { q.ShutDown(); <-done }
}

// TestReconcile_ABurst_IsFewWritesAndLosesNothing has a change come every 5 ms for two
// seconds, by the clock of a bubble, to a reconciler behind a queue.
func TestReconcile_ABurst_IsFewWritesAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		r := c.reconciler()
		r.Now = time.Now
		var turn sync.Mutex
		q, end := work(t, r, &turn)
		defer end()
		const changes = 400
		for i := range changes {
			turn.Lock()
			c.add(t, fmt.Sprint("s", i%40), fmt.Sprint(canary, i))
			turn.Unlock()
			enqueued().Create(t.Context(), event.CreateEvent{Object: c.objects[fmt.Sprint("s", i%40)]}, q)
			if i == 0 {
				synctest.Wait()
				if got := string(c.live["latchkey-user-env"].Data["S0"]); got != canary+"0" {
					t.Errorf("the first change is not written at once, the bundle has %q", got)
				}
			}
			<-time.After(5 * time.Millisecond)
		}
		<-time.After(longestRest)
		synctest.Wait()
		bundles := 0
		for _, w := range c.writes {
			if !strings.HasPrefix(w, "status ") {
				bundles++
			}
		}
		if bundles > 10 {
			t.Errorf("%d writes of the bundle for %d changes in 2 s", bundles, changes)
		}
		for i := changes - 40; i < changes; i++ {
			if got, want := string(c.live["latchkey-user-env"].Data[fmt.Sprint("S", i%40)]), fmt.Sprint(canary, i); got != want {
				t.Errorf("the bundle has %q, want %q", got, want)
			}
		}
	})
}
