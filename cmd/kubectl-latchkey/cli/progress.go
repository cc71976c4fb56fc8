// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// quiet is how long something may take without a word.
const quiet = time.Second

// Progress says how far something is that takes longer than a second: on a terminal in
// one line that is replaced, else in a line for every ten seconds.
type Progress struct {
	streams Streams
	what    string
	now     func() time.Time

	mu          sync.Mutex
	began, said time.Time
	line        bool
}

// Progress begins one.
func (s Streams) Progress(what string) *Progress {
	return &Progress{streams: s, what: what, now: time.Now, began: time.Now()}
}

// Say tells how many are done of all.
func (p *Progress) Say(done, all int) { p.Text(fmt.Sprintf("%d of %d", done, all)) }

// Text tells it in other words.
func (p *Progress) Text(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, every := p.now(), 10*time.Second
	if p.streams.ErrTerminal {
		every = 100 * time.Millisecond
	}
	if now.Sub(p.began) < quiet || now.Sub(p.said) < every {
		return
	}
	p.said = now
	if p.streams.ErrTerminal {
		_, _ = fmt.Fprintf(p.streams.ErrOut, "\r\x1b[K%s: %s", p.what, text)
		p.line = true
		return
	}
	p.streams.Notice("%s: %s", p.what, text)
}

// End takes the line away.
func (p *Progress) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line {
		_, _ = fmt.Fprint(p.streams.ErrOut, "\r\x1b[K")
		p.line = false
	}
}

// Above returns a writer that takes the line away before it writes.
func (p *Progress) Above(w io.Writer) io.Writer { return above{p, w} }

type above struct {
	progress *Progress
	to       io.Writer
}

// Write implements io.Writer.
func (a above) Write(text []byte) (int, error) {
	a.progress.End()
	return a.to.Write(text)
}
