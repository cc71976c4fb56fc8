// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionport

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/internal/budget"
)

// limit is how long a request may take, including its body: the longest timeout that
// can be configured for a webhook.
const limit = 30 * time.Second

// Guard passes the API server's requests to hooks, within the budget, and answers all
// others 404.
type Guard struct {
	paths *Paths
	hooks map[string]http.Handler
	bytes *budget.Budget
}

// NewGuard returns a guard of hooks, which are given by their paths below the segment.
func NewGuard(paths *Paths, hooks map[string]http.Handler) *Guard {
	return &Guard{paths: paths, hooks: hooks, bytes: budget.New(MaxBytes, 0)}
}

// ServeHTTP implements http.Handler.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hook := g.hook(r)
	if hook == nil {
		notFound(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	deadline, _ := ctx.Deadline()
	_ = http.NewResponseController(w).SetReadDeadline(deadline) // without a connection there is no slow client
	share := g.bytes.Share("")
	defer share.Release()
	body, no := read(ctx, w, r, share)
	if no != nil {
		no.write(w)
		return
	}
	r = r.WithContext(ctx)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	hook.ServeHTTP(w, r)
}

// hook returns the handler of a request, or nil.
func (g *Guard) hook(r *http.Request) http.Handler {
	text, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	honoured := g.paths.Honours(text)
	hook := g.hooks["/"+name]
	if !honoured || r.Method != http.MethodPost {
		return nil
	}
	return hook
}

// notFound answers every client that does not know the path, and always in the same
// way. It closes the connection, so that the rest of a body is not read.
func notFound(w http.ResponseWriter) {
	refused.WithLabelValues(reasonPath).Inc()
	w.Header().Set("Connection", "close")
	http.Error(w, "404 page not found", http.StatusNotFound)
}
