// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"io"
	"net/http"
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
		if connection.SetReadDeadline(time.Now().Add(limit)) == nil {
			// Once the body is there, net/http goes on reading to notice that the
			// client leaves; what ends then is not the patience with the body.
			r.Body = &deadlineBody{ReadCloser: r.Body, done: func() { _ = connection.SetReadDeadline(time.Time{}) }}
		}
		handler.ServeHTTP(w, r)
	})
}

// deadlineBody calls done at the body's end.
type deadlineBody struct {
	io.ReadCloser
	done func()
}

// Read implements io.Reader.
func (b *deadlineBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.done()
	}
	return n, err
}
