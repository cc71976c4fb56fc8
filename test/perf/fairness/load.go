// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	xrate "golang.org/x/time/rate"

	"github.com/latchkey-dev/latchkey/test/conformance"
)

// job is a load: requests to Path below URL, by whose Token it is, on so many connections.
// The requests are writes, one after the other on each connection, Rate a second in all, or
// as many as there can be where Rate is 0. With Trickle their bodies come a byte at a time.
type job struct {
	URL, Token, Path string
	CA               []byte
	Connections      int
	Rate             float64
	Trickle          bool
}

// start has a process of its own do the job until end is called.
func (j job) start(ctx context.Context) (end func(), err error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	process := exec.CommandContext(ctx, program, "load")
	process.Stderr = os.Stderr
	in, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	_, err = in.Write(append(text, '\n'))
	return func() {
		_ = in.Close()
		_ = process.Wait() // its requests may have been cut off
	}, err
}

// load does the job that standard input says, until standard input ends.
func load() error {
	var j job
	in := json.NewDecoder(os.Stdin)
	if err := in.Decode(&j); err != nil {
		return err
	}
	face, err := conformance.Direct(j.URL, j.CA)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	work := j.flood(face)
	if j.Trickle {
		work = j.trickle(face)
	}
	var all sync.WaitGroup
	for i := range j.Connections {
		all.Go(func() { work(ctx, i) })
	}
	all.Wait()
	return nil
}

// flood writes one secret for each connection, so that no limit is met.
func (j job) flood(face conformance.Face) func(context.Context, int) {
	pace := xrate.NewLimiter(xrate.Inf, 1)
	if j.Rate > 0 {
		pace.SetLimit(xrate.Limit(j.Rate))
	}
	var serial atomic.Int64
	return func(ctx context.Context, i int) {
		// Whatever these are answered.
		_, _ = do(ctx, face, j.Token, http.MethodPost, j.Path, fmt.Sprintf(`{"name":"flood-%d","value":"v"}`, i))
		for pace.Wait(ctx) == nil {
			_, _ = do(ctx, face, j.Token, http.MethodPatch, fmt.Sprint(j.Path, "/flood-", i), fmt.Sprintf(`{"description":"%d"}`, serial.Add(1)))
		}
	}
}

// trickle sends a request after the other whose body comes a byte at a time.
func (j job) trickle(face conformance.Face) func(context.Context, int) {
	return func(ctx context.Context, i int) {
		after := time.NewTimer(time.Duration(i) * time.Second / time.Duration(j.Connections)) // not all at once
		for {
			select {
			case <-after.C:
			case <-ctx.Done():
				return
			}
			j.trickleOnce(ctx, face)
			after.Reset(time.Second) // as somebody who keeps so many open
		}
	}
}

func (j job) trickleOnce(ctx context.Context, face conformance.Face) {
	body, bytes := io.Pipe()
	defer body.Close() //nolint:errcheck // a pipe's never fails
	go func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := bytes.Write([]byte(" ")); err != nil {
				return
			}
		}
	}()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, face.Coder+j.Path, body)
	if err != nil {
		return
	}
	r.ContentLength = 1000
	r.Header.Set("Coder-Session-Token", j.Token)
	if answer, err := face.Client.Do(r); err == nil {
		_ = answer.Body.Close()
	}
}

func do(ctx context.Context, face conformance.Face, token, method, path, body string) (int, error) {
	got, err := face.Do(ctx, method, face.Coder+path, http.Header{"Coder-Session-Token": {token}}, body)
	return got.Status, err
}
