// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package budget_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/latchkey-dev/latchkey/internal/budget"
)

func TestTake_AboveABound_IsRefusedAndChargesNothing(t *testing.T) {
	type step struct {
		caller string
		n      int64
		want   error
	}
	for name, tt := range map[string]struct {
		size, perCaller int64
		steps           []step
	}{
		"up to the total, by any caller": {size: 10, steps: []step{{"a", 6, nil}, {"b", 4, nil}, {"c", 1, budget.ErrFull}}},
		"a caller up to its cap":         {size: 10, perCaller: 4, steps: []step{{"a", 4, nil}, {"a", 1, budget.ErrCaller}, {"b", 4, nil}}},
		"what was refused takes no room": {
			size: 10, perCaller: 8,
			steps: []step{{"a", 6, nil}, {"b", 5, budget.ErrFull}, {"b", 4, nil}, {"a", 3, budget.ErrCaller}},
		},
		"more than there ever is": {size: 10, steps: []step{{"a", 11, budget.ErrFull}, {"a", 10, nil}}},
		"nothing always fits":     {size: 1, perCaller: 1, steps: []step{{"a", 1, nil}, {"a", 0, nil}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := budget.New(tt.size, tt.perCaller)
			for i, s := range tt.steps {
				if err := b.Share(s.caller).Take(s.n); !errors.Is(err, s.want) {
					t.Errorf("step %d: %v, want %v", i, err, s.want)
				}
			}
		})
	}
}

func TestRelease_Twice_GivesBackOnce(t *testing.T) {
	b := budget.New(3, 2)
	s, other := b.Share("a"), b.Share("b")
	if err := errors.Join(s.Take(1), s.Take(1), other.Take(1)); err != nil {
		t.Fatal(err)
	}
	s.Release()
	s.Release()
	if err := b.Share("a").Take(2); err != nil {
		t.Errorf("what was released is not there: %v", err)
	}
	if err := b.Share("c").Take(1); !errors.Is(err, budget.ErrFull) {
		t.Errorf("more is there than was released: %v", err)
	}
}

func TestAwait_Full_WaitsUntilReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(2, 0)
		first, second := b.Share(""), b.Share("")
		if err := first.Take(2); err != nil {
			t.Fatal(err)
		}
		var done atomic.Bool
		go func() {
			if err := second.Await(t.Context(), 1); err != nil {
				t.Error(err)
			}
			done.Store(true)
		}()
		synctest.Wait()
		if done.Load() {
			t.Error("it did not wait")
		}
		first.Release()
		synctest.Wait()
		if !done.Load() {
			t.Error("it waits for what is there")
		}
	})
}

func TestAwait_Cancelled_ChargesNothing(t *testing.T) {
	b := budget.New(2, 2)
	if err := b.Share("a").Take(1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Share("b").Await(ctx, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if err := b.Share("b").Await(t.Context(), 3); !errors.Is(err, budget.ErrFull) {
		t.Errorf("got %v for more than there ever is, want an answer at once", err)
	}
	if held := b.Held("b"); held != 0 {
		t.Errorf("a caller that was refused holds %d", held)
	}
	if err := b.Share("b").Take(1); err != nil {
		t.Error(err)
	}
}

func TestBudget_ManyAtOnce_StaysWithinItsBoundsAndEndsEmpty(t *testing.T) {
	const size, perCaller = 50, 20
	b := budget.New(size, perCaller)
	var held atomic.Int64
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for round := range 500 {
				s := b.Share(strconv.Itoa(i % 4))
				n := int64(i+3*round) % 8
				take := s.Take
				if n%2 == 0 {
					take = func(n int64) error { return s.Await(t.Context(), n) }
				}
				if take(n) == nil {
					if now := held.Add(n); now > size {
						t.Errorf("%d are held, of %d", now, size)
					}
					held.Add(-n)
				}
				s.Release()
			}
		})
	}
	group.Wait()
	for i := range 4 {
		if left := b.Held(strconv.Itoa(i)); left != 0 {
			t.Errorf("caller %d holds %d at the end", i, left)
		}
	}
	if err := b.Share("").Take(perCaller); err != nil {
		t.Errorf("the budget is not whole at the end: %v", err)
	}
}
