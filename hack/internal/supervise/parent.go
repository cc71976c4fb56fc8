// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
)

// parent owns the processes of one stack, in the order in which they were first started.
type parent struct {
	keeper Keeper
	end    context.CancelFunc

	mu       sync.Mutex // held while something is started or stopped
	children []*child
}

// Keep is the parent's work: it answers the commands of k until one of them, or ctx, ends it. Then it ends the processes,
// the last one first.
func (k Keeper) Keep(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := os.Remove(k.Socket); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a parent that was killed
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", k.Socket)
	if err != nil {
		return err
	}
	p := &parent{keeper: k, end: cancel}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.list)
	mux.HandleFunc("PUT /{name}", p.put)
	mux.HandleFunc("DELETE /{name}", p.delete)
	mux.HandleFunc("DELETE /{$}", p.quit)
	server := &http.Server{Handler: mux} //nolint:gosec // its only callers are its own user's commands
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		p.endAll()
		return err
	case <-ctx.Done():
		p.endAll()
		return server.Shutdown(context.WithoutCancel(ctx)) // which removes the socket
	}
}

func (p *parent) endAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range slices.Backward(p.children) {
		c.end()
	}
	p.children = nil
}

func (p *parent) list(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	statuses := make([]Status, 0, len(p.children))
	for _, c := range p.children {
		statuses = append(statuses, c.read())
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(statuses) // whom it does not reach asks again
}

// put makes a process run as the body says. The answer says what that took.
func (p *parent) put(w http.ResponseWriter, r *http.Request) {
	var want Status
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil || len(want.Argv) == 0 {
		http.Error(w, "no process", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i, answer := p.find(want.Name), answer{Outcome: "ready"}
	switch {
	case i < 0:
		p.children = append(p.children, launch(want, p.keeper.Dir, p.keeper.Log(want.Name)))
	case p.children[i].read().Fingerprint == want.Fingerprint:
		answer.Outcome, answer.Exits = "already running", p.children[i].read().Exits
	default:
		answer.Outcome = "changed, restarted"
		p.children[i].end()
		p.children[i] = launch(want, p.keeper.Dir, p.keeper.Log(want.Name))
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// answer says what it took to make a process run, and how often it had exited by then.
type answer struct {
	Outcome string
	Exits   int
}

func (p *parent) delete(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.find(r.PathValue("name"))
	if i < 0 {
		http.Error(w, "no such process", http.StatusNotFound)
		return
	}
	p.children[i].end()
	p.children = slices.Delete(p.children, i, i+1)
}

func (p *parent) quit(http.ResponseWriter, *http.Request) {
	p.endAll()
	p.end()
}

func (p *parent) find(name string) int {
	return slices.IndexFunc(p.children, func(c *child) bool { return c.read().Name == name })
}
