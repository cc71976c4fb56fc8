// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"sync"
	"time"
)

const (
	// codeLife is how long the code of the first address can be exchanged.
	codeLife = time.Minute
	// idleLife is how long a session lives without a request of a person.
	idleLife = 15 * time.Minute
	// sessionLife is how long it lives at all.
	sessionLife = 8 * time.Hour
)

// Why a server ends by itself.
var (
	errReplayed = errors.New("the one-time code was used twice, so somebody else may have it: the session has ended, start it again")
	errUnused   = errors.New("nobody opened the page within a minute: start it again")
	errIdle     = errors.New("the page was not used for 15 minutes, so the session has ended")
	errOver     = errors.New("the session has ended after 8 hours")
)

// session is the one session of a server. Its code is exchanged once for its secret.
type session struct {
	now func() time.Time

	mu             sync.Mutex
	code, secret   string
	began, lastUse time.Time
	redeemed       bool
	end            error
	ended          chan struct{}
}

func newSession(now func() time.Time) *session {
	return &session{now: now, code: rand.Text(), secret: rand.Text() + rand.Text(), began: now(), lastUse: now(), ended: make(chan struct{})}
}

// redeem exchanges the code for the secret. The second time it ends the session: one of
// the two who have the code should not.
func (s *session) redeem(code string) (secret string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	if s.end != nil || subtle.ConstantTimeCompare([]byte(code), []byte(s.code)) == 0 {
		return "", false
	}
	if s.redeemed {
		s.finish(errReplayed)
		return "", false
	}
	s.redeemed, s.lastUse = true, s.now()
	return s.secret, true
}

// admit reports whether a request has the secret. Only what a person does keeps the
// session alive, not what the page asks by itself.
func (s *session) admit(secret string, byPerson bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	if s.end != nil || !s.redeemed || subtle.ConstantTimeCompare([]byte(secret), []byte(s.secret)) == 0 {
		return false
	}
	if byPerson {
		s.lastUse = s.now()
	}
	return true
}

// check ends the session where its time is over, and returns why it ended; nil before.
func (s *session) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	return s.end
}

func (s *session) expire() {
	now := s.now()
	switch {
	case s.end != nil:
	case !s.redeemed && now.Sub(s.began) >= codeLife:
		s.finish(errUnused)
	case now.Sub(s.lastUse) >= idleLife:
		s.finish(errIdle)
	case now.Sub(s.began) >= sessionLife:
		s.finish(errOver)
	}
}

func (s *session) finish(why error) {
	if s.end == nil {
		s.end = why
		close(s.ended)
	}
}
