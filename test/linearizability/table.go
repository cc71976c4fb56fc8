// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package linearizability

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// row is what one kind of fault did, over all rounds.
type row struct {
	fault                       string
	rounds                      int
	reads, writes               int // answered
	refused, unanswered, unsent int
	stalledReads, stalledWrites time.Duration
	firstWrite, healedWrite     time.Duration
	violations, undecided       int
}

// table has a row for each fault.
type table []*row

func (t *table) row(fault string) *row {
	for _, r := range *t {
		if r.fault == fault {
			return r
		}
	}
	r := &row{fault: fault}
	*t = append(*t, r)
	return r
}

// count adds a round.
func (r *row) count(h *history, at span) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.rounds++
	for i := range h.events {
		switch e := &h.events[i]; {
		case e.Outcome == refused:
			r.refused++
		case e.Outcome == unanswered:
			r.unanswered++
		case e.Outcome == unsent:
			r.unsent++
		case e.Request.Verb.reads():
			r.reads++
		default:
			r.writes++
		}
	}
	r.stalledReads = max(r.stalledReads, longest(h.events, true))
	r.stalledWrites = max(r.stalledWrites, longest(h.events, false))
	r.firstWrite = max(r.firstWrite, first(h, at.struck)-at.struck)
	r.healedWrite = max(r.healedWrite, first(h, at.healed)-at.healed)
}

// longest returns the longest time in which nobody was given an answer.
func longest(events []event, reads bool) time.Duration {
	var times []time.Duration
	for i := range events {
		if e := &events[i]; e.Outcome == answered && e.Request.Verb.reads() == reads {
			times = append(times, e.Return)
		}
	}
	slices.Sort(times)
	var out time.Duration
	for i := range max(0, len(times)-1) {
		out = max(out, times[i+1]-times[i])
	}
	return out
}

// first returns when the first write was answered that was sent after a moment; where
// none was, the end of the history.
func first(h *history, since time.Duration) time.Duration {
	out := h.now()
	for i := range h.events {
		if e := &h.events[i]; e.Outcome == answered && !e.Request.Verb.reads() && e.Call >= since {
			out = min(out, e.Return)
		}
	}
	return out
}

// String prints the table as documents have it. Times are the longest of all rounds.
func (t table) String() string {
	lines := []string{
		"| fault | rounds | reads answered | writes answered | refused | no answer | no connection | longest stall of reads | of writes | first write after the fault | after its end | violations | undecided |",
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
	}
	var all row
	for _, r := range t {
		lines = append(lines, fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %s | %s | %s | %s | %d | %d |",
			r.fault, r.rounds, r.reads, r.writes, r.refused, r.unanswered, r.unsent,
			short(r.stalledReads), short(r.stalledWrites), short(r.firstWrite), short(r.healedWrite), r.violations, r.undecided))
		all.rounds, all.reads, all.writes = all.rounds+r.rounds, all.reads+r.reads, all.writes+r.writes
		all.violations += r.violations
	}
	return strings.Join(lines, "\n") + fmt.Sprintf("\n%d rounds, %d reads and %d writes were answered, %d histories have no order",
		all.rounds, all.reads, all.writes, all.violations)
}

func short(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
