// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"context"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

const (
	// together is how long changes are gathered into one message.
	together = 200 * time.Millisecond
	// beat keeps the stream alive, and finds out whether the page is still there.
	beat = 20 * time.Second
	// again is how long to wait before a watch that ended is begun again. The time doubles
	// up to atMost while watches fail, or end before they lasted steady.
	again  = time.Second
	atMost = 15 * time.Second
	steady = 10 * time.Second
)

// What the page is told, and what it then does.
const (
	eventLive    = "live"    // nothing
	eventBeat    = "beat"    // nothing
	eventChanged = "changed" // asks for all that it shows
	eventPods    = "pods"    // asks who uses the secret
	eventDown    = "down"    // finds out whether the cluster can be reached
	eventLost    = "lost"    // looks every minute: its person may not watch
	eventEnded   = "ended"   // shows that the session has ended
)

// source is what a stream follows. A page asks for much after each message, so there is a
// gap between two of them.
type source struct {
	event   string
	gap     time.Duration
	watches []begin
	// refused is said where no watch is allowed; "" where the page can do without.
	refused string
}

type begin func(context.Context) (watch.Interface, error)

// sourcesOf returns what concerns the screen that a request names: a namespace, with its
// pods where the screen shows who uses a secret, or the whole cluster.
func (s *Server) sourcesOf(r *http.Request) []source {
	namespace := r.PathValue("ns")
	of := func(resource string) begin {
		return func(ctx context.Context) (watch.Interface, error) { return s.cluster.Watch(ctx, namespace, resource) }
	}
	secrets := source{event: eventChanged, gap: time.Second, refused: eventLost, watches: []begin{of(cluster.UserSecrets), of(cluster.AgentSecrets)}}
	if namespace == "" {
		secrets.gap = 10 * time.Second // the overview lists the whole cluster
	}
	all := []source{secrets}
	if r.URL.Query().Has("pods") && namespace != "" {
		all = append(all, source{event: eventPods, gap: 5 * time.Second, watches: []begin{
			func(ctx context.Context) (watch.Interface, error) { return s.cluster.WatchPods(ctx, namespace) },
		}})
	}
	return all
}

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
	say := func(event string) bool {
		_, err := fmt.Fprintf(w, "event: %s\ndata:\n\n", event)
		return err == nil && flow.Flush() == nil
	}
	if !say(eventLive) {
		return
	}
	news := make(chan string)
	for _, from := range s.sourcesOf(r) {
		go from.tell(ctx, news)
	}
	pulse := time.NewTicker(beat)
	defer pulse.Stop()
	for {
		event := eventBeat
		select {
		case <-s.session.ended:
			event = eventEnded
		case <-ctx.Done():
			select {
			case <-s.session.ended: // which cancels ctx, too
				event = eventEnded
			default:
				return
			}
		case event = <-news:
		case <-pulse.C:
		}
		if !say(event) || event == eventEnded || event == eventLost {
			return
		}
	}
}

// tell follows a source and passes on what happens, until ctx ends.
func (f source) tell(ctx context.Context, news chan<- string) {
	say := func(event string) bool {
		select {
		case news <- event:
			return true
		case <-ctx.Done():
			return false
		}
	}
	changed, down, refused := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, len(f.watches))
	for _, begin := range f.watches {
		go func() {
			follow(ctx, begin, changed, down)
			refused <- struct{}{}
		}()
	}
	for n := 0; ; {
		event := f.event
		select {
		case <-ctx.Done():
			return
		case <-refused:
			// Who may watch one kind alone still follows that.
			if n++; n == len(f.watches) && f.refused != "" {
				say(f.refused)
			}
			continue
		case <-down:
			event = eventDown
		case <-changed:
			if !pause(ctx, together) {
				return
			}
			drain(changed)
		}
		if !say(event) || (event == f.event && !pause(ctx, f.gap)) {
			return
		}
	}
}

// follow watches until that is refused.
func follow(ctx context.Context, begin begin, changed, down chan<- struct{}) {
	wait := again
	for first := true; ; first = false {
		begun := time.Now()
		w, err := begin(ctx)
		switch {
		case err == nil:
			if !first {
				mark(changed) // what happened between two watches
			}
			hear(w, changed)
		case apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err):
			return
		default:
			mark(down)
		}
		if time.Since(begun) >= steady {
			wait = again
		}
		if !pause(ctx, wait) {
			return
		}
		wait = min(2*wait, atMost)
	}
}

// hear says that something changed until a watch ends.
func hear(w watch.Interface, changed chan<- struct{}) {
	defer w.Stop()
	for event := range w.ResultChan() {
		if event.Type == watch.Error {
			return
		}
		mark(changed)
	}
}

// mark says something once, however often it happens before it is heard.
func mark(heard chan<- struct{}) {
	select {
	case heard <- struct{}{}:
	default:
	}
}

func drain(heard <-chan struct{}) {
	select {
	case <-heard:
	default:
	}
}

// pause reports whether ctx lasted as long.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
