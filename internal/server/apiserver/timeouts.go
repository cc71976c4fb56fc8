// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// headroom is by how much a dialect's deadline comes before the request's: it can
// then still say in its own words that it ran out of time.
const headroom = time.Second

// withTimeout bounds how long a request may take.
func withTimeout(handler http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		handler.ServeHTTP(w, r.WithContext(ctx))
	})
}

// withHeadroom moves the deadline that is already there forward.
func withHeadroom(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		deadline, ok := r.Context().Deadline()
		if !ok {
			handler.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithDeadline(r.Context(), deadline.Add(-headroom))
		defer cancel()
		handler.ServeHTTP(w, r.WithContext(ctx))
	})
}

// How fast a body has to arrive: in grace, and a second longer for every perSecond bytes
// that have come.
const (
	grace     = 5 * time.Second
	perSecond = 16 << 10
)

// withBodyDeadline bounds how long a body may take to arrive, and how slowly it may come.
// A deadline of the context does not: nothing interrupts a handler that waits for a byte,
// and net/http cannot even answer for it while it does. It must stand where w leads to the
// one of net/http, and behind what waits for a server to be active.
func withBodyDeadline(handler http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			handler.ServeHTTP(w, r)
			return
		}
		began := time.Now()
		body := &deadlineBody{ReadCloser: r.Body, connection: http.NewResponseController(w), began: began, last: began.Add(limit)}
		if body.extend() != nil {
			handler.ServeHTTP(w, r) // not a connection
			return
		}
		// To net/http, a read that fails means that the client is gone, so it cancels
		// the request. But one that is too slow, or that ended its body too early, is
		// waiting for an answer, and the handler learns of it from the body.
		ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
		defer cancel()
		defer context.AfterFunc(r.Context(), func() {
			if body.ended.Load() {
				cancel()
			}
		})()
		r = r.WithContext(ctx)
		r.Body = body
		handler.ServeHTTP(w, r)
	})
}

// deadlineBody moves the connection's deadline on with every byte, and takes it away at
// the body's end: net/http goes on reading to notice that the client leaves, and the
// patience with the body must not end that.
type deadlineBody struct {
	io.ReadCloser
	connection  *http.ResponseController
	began, last time.Time
	read        int64
	ended       atomic.Bool
}

// Within bounds how long the rest of the body may take.
func (b *deadlineBody) Within(d time.Duration) {
	if until := time.Now().Add(d); until.Before(b.last) {
		b.last = until
	}
	_ = b.extend() // the connection is gone
}

func (b *deadlineBody) extend() error {
	until := b.began.Add(grace + time.Duration(b.read)*time.Second/perSecond)
	if b.last.Before(until) {
		until = b.last
	}
	return b.connection.SetReadDeadline(until)
}

// Read implements io.Reader.
func (b *deadlineBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	switch {
	case errors.Is(err, io.EOF):
		b.ended.Store(true)
		_ = b.connection.SetReadDeadline(time.Time{}) // the connection is gone
	case n > 0:
		_ = b.extend()
	}
	return n, err
}
