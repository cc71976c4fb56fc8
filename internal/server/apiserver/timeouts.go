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

// headroom is how much earlier than the request's deadline the dialect's deadline is:
// the dialect can then still report the timeout in its own form.
const headroom = time.Second

// withTimeout bounds how long a request may take.
func withTimeout(handler http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		handler.ServeHTTP(w, r.WithContext(ctx))
	})
}

// withHeadroom makes the deadline of the context earlier by headroom.
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

// How fast a body must arrive: in grace, plus one second for every perSecond bytes
// received.
const (
	grace     = 5 * time.Second
	perSecond = 16 << 10
)

// withBodyDeadline bounds how long a body may take to arrive, and how slow it may be. A
// deadline of the context does not: nothing interrupts a handler that waits for a byte,
// and meanwhile net/http cannot answer for it. It needs w to lead to the ResponseWriter
// of net/http, and must come after the filter that waits for a server to be active.
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
		// To net/http, a failed read means that the client is gone, so it cancels the
		// request. But a client that is too slow, or that ended its body too early,
		// waits for an answer. The handler learns that from the body.
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

// deadlineBody extends the connection's deadline with every byte, and removes it at the
// end of the body: net/http continues to read, to notice when the client leaves, and
// the deadline of the body must not end that.
type deadlineBody struct {
	io.ReadCloser
	connection  *http.ResponseController
	began, last time.Time
	read        int64
	ended       atomic.Bool
}

// Within limits the time for the rest of the body.
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
