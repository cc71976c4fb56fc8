// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package requests

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"
)

// enter returns a turn that has begun.
func enter(t *testing.T, of *Turns, caller string) *Turn {
	t.Helper()
	turn, err := of.Enter(caller)
	if err != nil {
		t.Fatal(err)
	}
	if err := turn.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return turn
}

func TestTurns_OneCallerAtItsCap_LeavesOthersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(4, 2, 32)
		held := []*Turn{enter(t, turns, "a"), enter(t, turns, "a")}
		var waited atomic.Bool
		third, err := turns.Enter("a")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if err := third.Begin(t.Context()); err != nil {
				t.Error(err)
			}
			waited.Store(true)
		}()
		synctest.Wait()
		if waited.Load() {
			t.Error("a third request of one caller is served at once, want two")
		}
		other := enter(t, turns, "b") // does not wait, or the test would end
		held[0].Leave()
		synctest.Wait()
		if !waited.Load() {
			t.Error("it waits for a turn that is free")
		}
		for _, turn := range []*Turn{held[1], third, other} {
			turn.Leave()
		}
		if len(turns.callers) != 0 {
			t.Errorf("%d callers are remembered when nobody asks", len(turns.callers))
		}
	})
}

func TestTurns_TooManyOfOneCaller_AreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(8, 1, 16)
		first := enter(t, turns, "a")
		open := []*Turn{first}
		for {
			turn, err := turns.Enter("a")
			if err != nil {
				if !errors.Is(err, ErrTooMany) || len(open) != 16 {
					t.Errorf("after %d: %v, want %v after %d", len(open), err, ErrTooMany, 16)
				}
				break
			}
			open = append(open, turn)
		}
		began := time.Now()
		if err := open[1].Begin(t.Context()); !errors.Is(err, ErrTooMany) || time.Since(began) != longestWait {
			t.Errorf("who waits too long gets %v after %s", err, time.Since(began))
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := open[2].Begin(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("who left gets %v", err)
		}
		enter(t, turns, "b").Leave()
		for _, turn := range open {
			turn.Leave()
		}
		enter(t, turns, "a").Leave()
	})
}

func TestTurns_ManyAtOnce_StayWithinBothBounds(t *testing.T) {
	turns := NewTurns(6, 2, 32)
	var all atomic.Int64
	var each [5]atomic.Int64
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			turn, err := turns.Enter(strconv.Itoa(i % len(each)))
			if err != nil {
				t.Error(err)
				return
			}
			defer turn.Leave()
			for range 100 {
				if err := turn.Begin(t.Context()); err != nil {
					t.Error(err)
					return
				}
				if a, e := all.Add(1), each[i%len(each)].Add(1); a > 6 || e > 2 {
					t.Errorf("%d are served, %d of one caller, want 6 and 2 at most", a, e)
				}
				all.Add(-1)
				each[i%len(each)].Add(-1)
				turn.Pause()
			}
		})
	}
	group.Wait()
}

func TestReadBody_WhileItWaits_TheTurnIsAnothers(t *testing.T) {
	turns := NewTurns(1, 1, 16)
	mine := enter(t, turns, "a")
	defer mine.Leave()
	pipe, body := io.Pipe()
	r := httptest.NewRequestWithContext(WithTurn(t.Context(), mine), http.MethodPost, "/", pipe)
	done := make(chan error)
	go func() {
		got, err := ReadBody(httptest.NewRecorder(), r, 8)
		if string(got) != "ab" {
			t.Errorf("got %q", got)
		}
		done <- err
	}()
	_, _ = io.WriteString(body, "a")
	enter(t, turns, "b").Leave() // does not wait, or the test would end
	_, _ = io.WriteString(body, "b")
	_ = body.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !mine.has {
		t.Error("the request did not get its turn back")
	}
}

func TestGlance_WhatIsNotShort_IsNotRead(t *testing.T) {
	for name, tc := range map[string]struct {
		length int64 // -1 where it is not told
		body   io.Reader
		ok     bool
		err    string
	}{
		"short":                     {2, strings.NewReader("{}"), true, ""},
		"short, of unknown length":  {-1, strings.NewReader("{}"), true, ""},
		"long":                      {firstPiece + 1, failing{t}, false, ""},
		"long, of unknown length":   {-1, strings.NewReader(strings.Repeat(" ", firstPiece+1)), false, ""},
		"longer than what is taken": {9 << 20, failing{t}, true, "http: request body too large"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", tc.body)
		r.ContentLength = tc.length
		_, ok, err := Glance(httptest.NewRecorder(), r, 8<<20)
		if ok != tc.ok || (err != nil) != (tc.err != "") || err != nil && err.Error() != tc.err {
			t.Errorf("%s: %t, %v, want %t, %s", name, ok, err, tc.ok, tc.err)
		}
	}
}

type failing struct{ t *testing.T }

func (f failing) Read([]byte) (int, error) {
	f.t.Error("the body is read")
	return 0, io.EOF
}

func TestCallerOf_ServiceAccountsOfANamespace_AreOne(t *testing.T) {
	for name, want := range map[string]string{
		"ada":                                 "ada",
		"system:serviceaccount:team:a":        "system:serviceaccount:team",
		"system:serviceaccount:team:b":        "system:serviceaccount:team",
		"system:serviceaccount:teams:a":       "system:serviceaccount:teams",
		"oidc:system:serviceaccount:team:oid": "oidc:system:serviceaccount:team:oid",
	} {
		if got := CallerOf(&user.DefaultInfo{Name: name}); got != want {
			t.Errorf("CallerOf(%s) = %s, want %s", name, got, want)
		}
	}
}
