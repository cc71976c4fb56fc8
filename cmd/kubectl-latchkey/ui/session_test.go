// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
)

func TestSession_CodeUsedTwice_EndsTheServer(t *testing.T) {
	s := newStand(t, Options{})
	if answer, _ := s.do(t, http.MethodPost, "/session", "guess", nil); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a guess: %d", answer.StatusCode)
	}
	s.open(t) // a guess ended nothing
	answer, text := s.do(t, http.MethodPost, "/session", s.session.code, nil)
	if answer.StatusCode != http.StatusForbidden || strings.Contains(text, s.secret) {
		t.Errorf("the second redemption: %d", answer.StatusCode)
	}
	err := s.awaitEnd(t)
	if !errors.Is(err, errReplayed) || cli.CodeOf(err) != cli.CodeRefused {
		t.Errorf("it ended with %v", err)
	}
	if s.session.admit(s.secret, true) {
		t.Error("the secret still works")
	}
}

func TestSession_Time_EndsIt(t *testing.T) {
	for name, c := range map[string]struct {
		before   []time.Duration // when a person does something
		after    time.Duration
		unused   bool
		want     error
		goesOn   bool
		byItself bool
	}{
		"the code after a minute":                {unused: true, after: time.Minute, want: errUnused},
		"the code before":                        {unused: true, after: 59 * time.Second, goesOn: true},
		"fifteen minutes without use":            {after: 15 * time.Minute, want: errIdle},
		"less than that":                         {after: 14*time.Minute + 59*time.Second, goesOn: true},
		"use keeps it":                           {before: []time.Duration{14 * time.Minute}, after: 28 * time.Minute, goesOn: true},
		"what the page asks by itself is no use": {before: []time.Duration{14 * time.Minute}, byItself: true, after: 15 * time.Minute, want: errIdle},
		"eight hours, however much it is used":   {before: steps(14*time.Minute, 8*time.Hour), after: 8 * time.Hour, want: errOver},
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			now := begun
			s := newSession(func() time.Time { return now })
			if !c.unused {
				secret, ok := s.redeem(s.code)
				if !ok {
					t.Fatal("the code was not taken")
				}
				for _, at := range c.before {
					if now = begun.Add(at); !s.admit(secret, !c.byItself) {
						t.Fatalf("after %s the secret does not work", at)
					}
				}
			}
			now = begun.Add(c.after)
			if got := s.check(); !errors.Is(got, c.want) || (got == nil) != c.goesOn {
				t.Errorf("after %s: %v, want %v", c.after, got, c.want)
			}
			if _, ok := s.redeem(s.code); c.unused && ok != c.goesOn {
				t.Errorf("after %s the code works: %v", c.after, ok)
			}
		})
	}
}

func steps(step, until time.Duration) (all []time.Duration) {
	for at := step; at < until; at += step {
		all = append(all, at)
	}
	return all
}

func TestServer_IdleSession_Ends(t *testing.T) {
	s := newStand(t, Options{})
	s.open(t)
	s.clock.Store(int64(idleLife))
	if err := s.awaitEnd(t); !errors.Is(err, errIdle) || cli.CodeOf(err) != cli.CodeTimeout {
		t.Errorf("it ended with %v", err)
	}
}
