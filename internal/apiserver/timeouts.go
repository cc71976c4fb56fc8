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

// withBodyDeadline bounds how long a body may take to arrive. A deadline of the
// context does not: nothing interrupts a handler that waits for a byte, and net/http
// cannot even answer for it while it does. It must stand where w is still the one of
// net/http.
func withBodyDeadline(handler http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			handler.ServeHTTP(w, r)
			return
		}
		connection := http.NewResponseController(w)
		if connection.SetReadDeadline(time.Now().Add(limit)) != nil {
			handler.ServeHTTP(w, r) // not a connection
			return
		}
		body := &deadlineBody{ReadCloser: r.Body, connection: connection}
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

// deadlineBody takes the connection's deadline away at the body's end: net/http goes on
// reading to notice that the client leaves, and the patience with the body must not end
// that.
type deadlineBody struct {
	io.ReadCloser
	connection *http.ResponseController
	ended      atomic.Bool
}

// Read implements io.Reader.
func (b *deadlineBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.ended.Store(true)
		_ = b.connection.SetReadDeadline(time.Time{}) // the connection is gone
	}
	return n, err
}
