// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package recheck

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestDo_ManyAtOnce_SharesTheNextLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looked atomic.Int64
		l := New(func(context.Context, string) (int64, error) {
			n := looked.Add(1)
			<-time.After(time.Second)
			return n, nil
		})
		var group sync.WaitGroup
		ask := func(want int64) {
			group.Go(func() {
				if got, err := l.Do(t.Context(), "a"); got != want || err != nil {
					t.Errorf("got the lookup %d, %v, want the one %d, which began after the question", got, err, want)
				}
			})
		}
		ask(1)
		synctest.Wait()
		for range 100 {
			ask(2)
		}
		group.Wait()
		if got := looked.Load(); got != 2 {
			t.Errorf("looked %d times, want twice", got)
		}
		<-time.After(time.Minute) // until nobody works any more
	})
}

func TestDo_Flood_SpendsAThirdOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looked atomic.Int64
		l := New(func(context.Context, string) (int, error) {
			looked.Add(1)
			<-time.After(time.Second)
			return 0, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				for ctx.Err() == nil {
					_, _ = l.Do(ctx, "a")
				}
			})
		}
		group.Wait()
		<-time.After(time.Minute) // the last one ends
		synctest.Wait()
		if got := looked.Load(); got < 9 || got > 12 {
			t.Errorf("looked %d times in 30 s, each for 1 s, want a third of the time", got)
		}
		if len(l.active) != 0 || len(l.next) != 0 {
			t.Errorf("%d and %d keys are remembered when nobody asks any more", len(l.active), len(l.next))
		}
	})
}

func TestDo_OtherKey_DoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := errors.New("away")
		l := New(func(ctx context.Context, key string) (string, error) {
			if key == "slow" {
				<-ctx.Done()
				return "", ctx.Err()
			}
			return key, fault
		})
		go func() {
			if _, err := l.Do(context.Background(), "slow"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a lookup without end ended with %v", err)
			}
		}()
		synctest.Wait()
		began := time.Now()
		if got, err := l.Do(t.Context(), "b"); got != "b" || !errors.Is(err, fault) {
			t.Errorf("got %q, %v", got, err)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("waited %s for another key", took)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.Do(gone, "slow"); !errors.Is(err, context.Canceled) {
			t.Errorf("who left waited and got %v", err)
		}
		<-time.After(time.Minute)
	})
}
