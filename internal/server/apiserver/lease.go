// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"

	"github.com/latchkey-dev/latchkey/internal/server/active"
)

// withActive makes the dialects' requests wait until this replica is active, and
// refuses them if it does not become active. A refused client must connect again, which
// leads it to the active replica. Every replica answers all other requests.
func withActive(handler http.Handler, t *active.Tenure) http.Handler {
	if t == nil {
		return handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if t.Leaving() {
			w.Header().Set("Connection", "close")
		}
		if dialectOf(r.URL.Path) == noDialect {
			handler.ServeHTTP(w, r)
			return
		}
		term, err := t.Begin(r.Context())
		if err != nil {
			w.Header().Set("Connection", "close")
			inactive.write(w, r)
			return
		}
		defer term.End()
		handler.ServeHTTP(w, r.WithContext(active.WithTerm(r.Context(), term)))
	})
}

// withLease sends an answer only if this replica is still active when the answer is
// ready. Then the answer includes every write that any replica had acknowledged. It is
// around the dialects, which begin to write when the answer is complete, and inside
// audit, which must record what the client sees.
func withLease(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if dialectOf(r.URL.Path) == noDialect {
			handler.ServeHTTP(w, r)
			return
		}
		handler.ServeHTTP(&leasedWriter{ResponseWriter: w, request: r}, r)
	})
}

// leasedWriter checks the Lease before the first byte is written.
type leasedWriter struct {
	http.ResponseWriter
	request       *http.Request
	begun, refuse bool
}

// WriteHeader implements http.ResponseWriter.
func (w *leasedWriter) WriteHeader(status int) {
	if w.begun || status < http.StatusOK {
		if !w.refuse {
			w.ResponseWriter.WriteHeader(status)
		}
		return
	}
	w.begun = true
	if active.Held(w.request.Context()) == nil {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.refuse = true
	header := w.Header()
	for name := range header {
		switch name {
		case "Audit-Id", "Cache-Control":
		default:
			header.Del(name) // a header of the discarded answer
		}
	}
	header.Set("Connection", "close")
	inactive.write(w.ResponseWriter, w.request)
}

// Write implements http.ResponseWriter.
func (w *leasedWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if w.refuse {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *leasedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
