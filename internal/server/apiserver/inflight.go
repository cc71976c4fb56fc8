// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/metrics"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/latchkey-dev/latchkey/internal/recheck"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
)

// queue is how many requests a caller may have open for each one that is served at a
// time.
const queue = 16

// limits bounds how many requests callers can have in progress.
type limits struct {
	reads, writes *requests.Turns // nil is no limit
}

func newLimits(o Options) limits {
	turns := func(total int) *requests.Turns {
		if total == 0 {
			return nil
		}
		perCaller := o.MaxRequestsPerCaller
		if perCaller == 0 {
			perCaller = total
		}
		return requests.NewTurns(total, perCaller, queue*min(perCaller, total))
	}
	return limits{reads: turns(o.MaxRequestsInFlight), writes: turns(o.MaxMutatingRequestsInFlight)}
}

// withTurns bounds the number of reads and writes in progress, in total and for each
// caller, so that no caller occupies what all share. It replaces the in-flight limit of
// k8s.io/apiserver, but counts only requests that are being worked on: while a request
// waits for its body, another has its turn. A probe is answered however busy the server
// is, because a restart would not help.
func withTurns(handler http.Handler, l limits) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turns, mutating := l.reads, r.Method != http.MethodGet && r.Method != http.MethodHead
		if mutating {
			turns = l.writes
		}
		if turns == nil || isProbe(r.URL.Path) {
			handler.ServeHTTP(w, r)
			return
		}
		turn, err := turns.Enter(requests.CallerOf(callerOf(r)))
		if err == nil {
			defer turn.Leave()
			err = turn.Begin(r.Context())
		}
		if err != nil {
			info, _ := request.RequestInfoFrom(r.Context())
			metrics.RecordDroppedRequest(r, info, metrics.APIServerComponent, mutating)
			tooBusy.write(w, r)
			return
		}
		handler.ServeHTTP(w, r.WithContext(recheck.WithPauser(requests.WithTurn(r.Context(), turn), turn)))
	})
}

func callerOf(r *http.Request) user.Info {
	if u, ok := request.UserFrom(r.Context()); ok {
		return u
	}
	return &user.DefaultInfo{}
}
