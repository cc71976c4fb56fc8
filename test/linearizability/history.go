// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package linearizability

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// outcome is what became of a request.
type outcome int

const (
	answered   outcome = iota // the answer means something to the model
	refused                   // not now
	unanswered                // nobody knows
	unsent                    // there was no connection
)

// event is one request of a history.
type event struct {
	Tenant, Client int
	Face           string
	Call, Return   time.Duration // by the history's clock
	Request        request
	Answer         answer
	Outcome        outcome
	Code           int // of HTTP
}

// history is what was asked and answered in one round.
type history struct {
	began time.Time

	mu     sync.Mutex
	events []event
	faulty []string // answers that the contracts do not have
}

// now is read from a clock that nobody sets.
func (h *history) now() time.Duration { return time.Since(h.began) }

func (h *history) add(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func (h *history) fault(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faulty = append(h.faulty, text)
}

// operations returns what is known of a tenant. Reads without an answer say nothing. A
// write without one has no end, which here is behind everything else.
func (h *history) operations(tenant int) []porcupine.Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []porcupine.Operation
	end := int64(h.now())
	shown := map[string]int64{} // by content: when it was first known to be there
	for i := range h.events {
		for _, s := range h.events[i].Answer.Seen {
			if at, ok := shown[s.Content]; h.events[i].Tenant == tenant && (!ok || int64(h.events[i].Return) < at) {
				shown[s.Content] = int64(h.events[i].Return)
			}
		}
	}
	for i := range h.events {
		e := &h.events[i]
		if e.Tenant != tenant || e.Outcome == unsent || e.Outcome != answered && e.Request.Verb.reads() {
			continue
		}
		until := int64(e.Return)
		if e.Outcome != answered {
			until = end
			if c := e.Request.Content; c != nil && shown[*c] > 0 {
				until = shown[*c] // no two writes have one content, so this was done by then
			}
		}
		out = append(out, porcupine.Operation{
			ClientId: e.Client, Input: e.Request, Output: e.Answer, Call: int64(e.Call), Return: until, Metadata: e.Face,
		})
	}
	return out
}

// answeredSince returns how many reads and writes at a face were sent after a moment and
// answered.
func (h *history) answeredSince(since time.Duration, face string) (reads, writes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.events {
		e := &h.events[i]
		if e.Outcome != answered || e.Call < since || e.Face != face {
			continue
		}
		if e.Request.Verb.reads() {
			reads++
		} else {
			writes++
		}
	}
	return reads, writes
}

// explain names the operation that no order has a place for, or returns "".
func explain(operations []porcupine.Operation, info porcupine.LinearizationInfo) string {
	for _, partials := range info.PartialLinearizations() {
		partials = append(partials, nil)
		best := slices.MaxFunc(partials, func(a, b []int) int { return cmp.Compare(len(a), len(b)) })
		placed := map[int]bool{}
		state := tenant{}
		var before []string
		for _, i := range best {
			placed[i] = true
			_, state = step(state, asked(operations[i].Input), told(operations[i].Output))
			before = append(before, "  "+line(operations[i]))
		}
		culprit := -1
		for i := range operations {
			if !placed[i] && told(operations[i].Output).Status != 0 &&
				(culprit < 0 || operations[i].Return < operations[culprit].Return) {
				culprit = i
			}
		}
		if culprit >= 0 {
			return fmt.Sprintf("no order has a place for\n  %s\nin the state %s after\n%s",
				line(operations[culprit]), state, strings.Join(before[max(0, len(before)-8):], "\n"))
		}
	}
	return ""
}

func line(o porcupine.Operation) string {
	end := "never"
	if told(o.Output).Status != 0 {
		end = time.Duration(o.Return).Round(time.Microsecond).String()
	}
	return fmt.Sprintf("[%s, %s] client %d %v: %s",
		time.Duration(o.Call).Round(time.Microsecond), end, o.ClientId, o.Metadata, describe(asked(o.Input), told(o.Output)))
}

// keep writes a history, and what porcupine makes of it, into a folder.
func (h *history) keep(dir, name string, info porcupine.LinearizationInfo) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	h.mu.Lock()
	text, err := json.MarshalIndent(h.events, "", " ")
	h.mu.Unlock()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, name+".json"), text, 0o600); err != nil {
		return err
	}
	return porcupine.VisualizePath(model(), info, filepath.Join(dir, name+".html"))
}
