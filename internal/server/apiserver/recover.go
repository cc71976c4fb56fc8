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

// withRecovery answers 500 when a handler panics. The filter of k8s.io/apiserver logs
// and audits the text of the panic, which could contain a secret. This one logs only
// its type and place. It is used twice: as the innermost filter, so that no other
// filter sees a handler's panic, and outside the filters, for their own panics.
func withRecovery(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watched := &watchedWriter{ResponseWriter: w}
		defer func() {
			switch reason := recover(); {
			case reason == nil:
			case isAbort(reason):
				panic(http.ErrAbortHandler) // tells net/http to drop the connection
			default:
				klog.FromContext(r.Context()).Error(nil, "Handler panicked", "method", r.Method, "path", r.URL.Path,
					"auditID", audit.GetAuditIDTruncated(r.Context()), "type", fmt.Sprintf("%T", reason), "stack", string(debug.Stack()))
				if watched.started {
					panic(http.ErrAbortHandler) // half an answer must not look complete
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

// watchedWriter records whether the answer has begun, and its status.
type watchedWriter struct {
	http.ResponseWriter
	started bool
	status  int
}

// WriteHeader implements http.ResponseWriter.
func (w *watchedWriter) WriteHeader(status int) {
	if !w.started && status >= http.StatusOK { // statuses below 200 precede the answer
		w.status, w.started = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *watchedWriter) Write(p []byte) (int, error) {
	if !w.started {
		w.status, w.started = http.StatusOK, true
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
