// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package linearizability

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/latchkey-dev/latchkey/test/conformance"
)

const (
	// patience is how long a client waits for an answer: longer than a hand-over.
	patience = 7 * time.Second
	// pace is about how long it rests after one.
	pace = 30 * time.Millisecond
	// A write without an answer has its place in any order behind it, which makes orders
	// many. So writers are slow while there are no answers.
	slowest = 1500 * time.Millisecond
)

// reply is what an HTTP answer means in a dialect.
type reply struct {
	status int // as in answer
	seen   []seen
	// unknown tells that the answer says nothing about what was done.
	unknown bool
}

// dialect turns requests into HTTP and back.
type dialect interface {
	// pick makes up a request.
	pick(rng *rand.Rand, content string) request
	// http returns method, URL and body of a request at a face.
	http(f conformance.Face, r request) (method, url, body string)
	// read returns what an answer means; an error says that the contract has no such one.
	read(r request, got conformance.Answer) (reply, error)
}

// client sends one request after the other to one face.
type client struct {
	tenant, number int
	face           conformance.Face
	token          string
	dialect        dialect
	rng            *rand.Rand
	history        *history
}

// run sends requests until stop is closed.
func (c *client) run(ctx context.Context, stop <-chan struct{}) {
	rest, sent := pace, 0
	for {
		timer := time.NewTimer(rest/2 + time.Duration(c.rng.Int64N(int64(rest))))
		select {
		case <-stop:
			timer.Stop()
			return
		case <-timer.C:
		}
		sent++
		e := c.send(ctx, c.dialect.pick(c.rng, fmt.Sprintf("c%d-%d", c.number, sent)))
		switch {
		case e.Outcome == answered:
			rest = pace
		case !e.Request.Verb.reads():
			rest = min(2*rest+pace, slowest)
		}
	}
}

// send sends one request and writes down what became of it.
func (c *client) send(ctx context.Context, r request) event {
	method, url, body := c.dialect.http(c.face, r)
	header := http.Header{"Authorization": {"Bearer " + c.token}, "Content-Type": {"application/json"}}
	e := event{Tenant: c.tenant, Client: c.number, Face: c.face.Name, Request: r, Call: c.history.now()}
	got, err := c.face.Do(ctx, method, url, header, body)
	e.Return, e.Code = c.history.now(), got.Status
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		e.Outcome = unsent
	case err != nil:
		e.Outcome = unanswered
	case got.Status == http.StatusUnauthorized || got.Status == http.StatusForbidden || got.Status >= 500 || got.Status == http.StatusTooManyRequests:
		e.Outcome = refused
	default:
		c.understand(&e, got)
	}
	c.history.add(e)
	return e
}

func (c *client) understand(e *event, got conformance.Answer) {
	is, err := c.dialect.read(e.Request, got)
	if err != nil {
		c.history.fault(fmt.Sprintf("client %d at %s: %s: %v", c.number, c.face.Name, describe(e.Request, answer{}), err))
	}
	if err != nil || is.unknown {
		e.Outcome = refused
		return
	}
	e.Answer = answer{Status: is.status, Seen: is.seen}
}

// verbs are picked from with these odds.
var verbs = []verb{create, create, update, update, update, get, get, get, list, list, remove}

func pickVerb(rng *rand.Rand) verb { return verbs[rng.IntN(len(verbs))] }

// known is what the clients of an environment have heard of its secrets, since requests
// address them by id and revision.
type known struct {
	mu sync.Mutex
	of [slots]seen
}

func (k *known) hear(all ...seen) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range all {
		k.of[s.Slot] = s
	}
}

func (k *known) about(slot int) seen {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.of[slot]
}
