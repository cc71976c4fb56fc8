// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"

	"k8s.io/apiserver/pkg/endpoints/metrics"
	"k8s.io/apiserver/pkg/endpoints/request"
)

// withMaxInFlight serves so many reads and so many writes at once, and refuses what
// comes on top: a client that waits for its turn costs memory, and it can just as
// well try another replica. It is k8s.io/apiserver's filter but for two things: the
// refusal is in the dialect's words, and a probe is answered however busy the server
// is, since restarting it would not help. A limit of 0 is none.
func withMaxInFlight(handler http.Handler, reads, writes int) http.Handler {
	reading, writing := make(chan struct{}, reads), make(chan struct{}, writes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, _ := request.RequestInfoFrom(r.Context())
		mutating := r.Method != http.MethodGet && r.Method != http.MethodHead
		places := reading
		if mutating {
			places = writing
		}
		if cap(places) == 0 || isProbe(r.URL.Path) {
			handler.ServeHTTP(w, r)
			return
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			handler.ServeHTTP(w, r)
		default:
			metrics.RecordDroppedRequest(r, info, metrics.APIServerComponent, mutating)
			tooBusy.write(w, r)
		}
	})
}
