// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"k8s.io/apiserver/pkg/audit"
	"k8s.io/klog/v2"
)

// withRecovery answers 500 for a handler that panics. k8s.io/apiserver's filter logs
// what the panic said, and its audit records it; that may be anything, a secret too.
// Here only its type and the place are logged. It stands innermost, so that nothing
// else sees a handler's panic, and outermost, for the filters' own.
func withRecovery(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watched := &watchedWriter{ResponseWriter: w}
		defer func() {
			switch reason := recover(); {
			case reason == nil:
			case isAbort(reason):
				panic(http.ErrAbortHandler) // how net/http wants to be told to drop the connection
			default:
				klog.FromContext(r.Context()).Error(nil, "Handler panicked", "method", r.Method, "path", r.URL.Path,
					"auditID", audit.GetAuditIDTruncated(r.Context()), "type", fmt.Sprintf("%T", reason), "stack", string(debug.Stack()))
				if watched.started {
					panic(http.ErrAbortHandler) // half an answer must not look like a whole one
				}
				fault.write(w, r)
			}
		}()
		handler.ServeHTTP(watched, r)
	})
}

func isAbort(reason any) bool {
	err, ok := reason.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// watchedWriter knows whether the answer has begun.
type watchedWriter struct {
	http.ResponseWriter
	started bool
}

// WriteHeader implements http.ResponseWriter.
func (w *watchedWriter) WriteHeader(status int) {
	w.started = true
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *watchedWriter) Write(p []byte) (int, error) {
	w.started = true
	return w.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
