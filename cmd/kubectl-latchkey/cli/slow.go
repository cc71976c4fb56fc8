// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"net/http"
	"time"
)

// lookAgain is how often a request that is not answered yet is looked at.
const lookAgain = 200 * time.Millisecond

// slow says on a terminal that the API server takes longer than a second for an answer.
type slow struct {
	streams Streams
	next    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	answered, quietNow := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(quietNow)
		progress := s.streams.Progress("waiting for the API server " + r.URL.Host)
		defer progress.End()
		ticker := time.NewTicker(lookAgain)
		defer ticker.Stop()
		for began := time.Now(); ; {
			select {
			case <-answered:
				return
			case now := <-ticker.C:
				progress.Text(fmt.Sprintf("%d s", int(now.Sub(began).Seconds())))
			}
		}
	}()
	defer func() {
		close(answered)
		<-quietNow // so that its line is gone before anything else is said
	}()
	return s.next.RoundTrip(r)
}
