// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/watch"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

const (
	// together is how long changes are gathered into one message.
	together = 200 * time.Millisecond
	// beat keeps the stream alive, and finds out whether the page is still there.
	beat = 20 * time.Second
	// again is how long to wait before a watch that ended is begun anew.
	again = time.Second
)

// events tells the page that something changed, and nothing of what: the page asks for
// what it shows.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	flow := http.NewResponseController(w)
	if flow.SetReadDeadline(time.Time{}) != nil { // it takes longer than other requests
		http.Error(w, "no stream", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	changed := make(chan struct{}, 1)
	lost := make(chan struct{}, 2)
	for _, resource := range []string{cluster.UserSecrets, cluster.AgentSecrets} {
		go func() {
			s.follow(ctx, r.PathValue("ns"), resource, changed)
			lost <- struct{}{}
		}()
	}
	pulse := time.NewTicker(beat)
	defer pulse.Stop()
	failures := 0
	say := func(event string) bool {
		_, err := fmt.Fprintf(w, "event: %s\ndata:\n\n", event)
		return err == nil && flow.Flush() == nil
	}
	if !say("live") {
		return
	}
	for {
		event := "beat"
		select {
		case <-ctx.Done():
			return
		case <-s.session.ended:
			return
		case <-lost:
			// Who may see one kind alone still follows that.
			if failures++; failures < 2 {
				continue
			}
			event = "lost"
		case <-changed:
			event = "changed"
			select {
			case <-time.After(together):
			case <-ctx.Done():
				return
			}
			select {
			case <-changed:
			default:
			}
		case <-pulse.C:
		}
		if !say(event) || event == "lost" {
			return
		}
	}
}

// follow watches a resource until that is refused.
func (s *Server) follow(ctx context.Context, namespace, resource string, changed chan<- struct{}) {
	tell := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	for ctx.Err() == nil {
		w, err := s.cluster.Watch(ctx, namespace, resource)
		if err != nil {
			return
		}
		for event := range w.ResultChan() {
			if event.Type == watch.Error {
				break
			}
			tell()
		}
		w.Stop()
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
		tell() // what happened between two watches
	}
}
