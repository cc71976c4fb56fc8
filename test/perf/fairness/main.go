// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command fairness measures what the load of others does to one tenant's requests, on a
// control plane of its own (`make bench-fairness`). It prints the 50th and 99th percentile
// of the tenant's reads and writes without load, and under each load, with the ratio to
// those without, all in one run. The tenant's rounds come at a fixed rate, and the loads
// take turns several times, so that what the machine does besides counts for all alike.
// The loads run on the machine that they load. It stops by itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	xrate "golang.org/x/time/rate"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/latchkey-dev/latchkey/test/conformance"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// rounds is how many times a second the tenant creates, reads and deletes a secret.
const rounds = 25

func main() {
	n := flag.Int("n", 300, "rounds of requests per measurement, three measurements per load")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	if err := run(context.Background(), *n); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is a stack with one tenant, a stranger without rights, and a neighbour who is a
// tenant too.
type bench struct {
	// face is the tenant's; others come by connections of their own.
	face, others                conformance.Face
	tenant, stranger, neighbour conformance.Account
	serial                      atomic.Int64
}

func run(ctx context.Context, n int) (err error) {
	stack, err := framework.StartStack(ctx)
	if stack != nil {
		defer func() { err = errors.Join(err, stack.Stop(false)) }()
	}
	if err != nil {
		return err
	}
	b := &bench{}
	if err := b.setUp(ctx, stack); err != nil {
		return err
	}
	loads := []struct {
		name string
		load func(context.Context)
	}{
		{"no load", nil},
		{"205 bodies that trickle, by a stranger", b.trickle(b.stranger, "/users/"+b.tenant.Name+"/secrets", 205)},
		{"205 bodies that trickle, by a neighbour", b.trickle(b.neighbour, "/users/me/secrets", 205)},
		{"300 refused writes a second, by a stranger", b.flood(b.stranger, "/users/"+b.tenant.Name+"/secrets", 32, 300)},
		{"20 writes a second, by a neighbour", b.flood(b.neighbour, "/users/me/secrets", 32, 20)},
		{"32 connections of refused writes, by a stranger", b.flood(b.stranger, "/users/"+b.tenant.Name+"/secrets", 32, 0)},
		{"32 connections of writes, by a neighbour", b.flood(b.neighbour, "/users/me/secrets", 32, 0)},
	}
	if _, err := b.under(ctx, nil, n); err != nil { // to warm up
		return err
	}
	times := make([]map[string][]time.Duration, len(loads))
	for range 3 {
		for i, l := range loads {
			got, err := b.under(ctx, l.load, n)
			if err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			if times[i] == nil {
				times[i] = map[string][]time.Duration{}
			}
			for op := range got {
				times[i][op] = append(times[i][op], got[op]...)
			}
		}
	}
	for i, l := range loads {
		fmt.Printf("%-50s", l.name)
		for _, op := range []string{"read", "write"} {
			slices.Sort(times[i][op])
			fmt.Printf("  %s p50 %s p99 %s (%.2f)", op, ms(at(times[i][op], 50)), ms(at(times[i][op], 99)),
				float64(at(times[i][op], 99))/float64(at(times[0][op], 99)))
		}
		fmt.Println()
	}
	return nil
}

func at(times []time.Duration, percent int) time.Duration {
	return times[min(len(times)-1, len(times)*percent/100)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%6.1fms", float64(d.Microseconds())/1000) }

func (b *bench) setUp(ctx context.Context, stack *framework.Stack) error {
	ca, err := stack.RESTAuthority(ctx)
	if err != nil {
		return err
	}
	url, err := stack.Server.RESTURL()
	if err != nil {
		return err
	}
	if b.face, err = conformance.Direct(url, ca); err != nil {
		return err
	}
	if b.others, err = conformance.Direct(url, ca); err != nil {
		return err
	}
	tenants := conformance.Tenants{Admin: stack.Client}
	if b.tenant, err = tenants.NewUser(ctx, "tenant"); err != nil {
		return err
	}
	if b.neighbour, err = tenants.NewUser(ctx, "neighbour"); err != nil {
		return err
	}
	b.stranger, err = tenants.New(ctx, "stranger", nil, nil)
	return err
}

func do(ctx context.Context, face conformance.Face, a conformance.Account, method, path, body string) (int, error) {
	got, err := face.Do(ctx, method, face.Coder+path, http.Header{"Coder-Session-Token": {a.Token}}, body)
	return got.Status, err
}

// under measures n rounds of the tenant's requests, one after the other, while load runs.
func (b *bench) under(ctx context.Context, load func(context.Context), n int) (map[string][]time.Duration, error) {
	loaded, end := context.WithCancel(ctx)
	var running sync.WaitGroup
	if load != nil {
		running.Go(func() { load(loaded) })
	}
	defer running.Wait()
	defer end()
	times := map[string][]time.Duration{}
	pace := xrate.NewLimiter(rounds, 1)
	for i := range n {
		if err := pace.Wait(ctx); err != nil {
			return nil, err
		}
		name := fmt.Sprint("s-", b.serial.Add(1))
		for _, step := range []struct {
			op, method, path, body string
			want                   int
		}{
			{"write", "POST", "", `{"name":"` + name + `","value":"a sample value"}`, http.StatusCreated},
			{"read", "GET", "/" + name, "", http.StatusOK},
			{"write", "DELETE", "/" + name, "", http.StatusNoContent},
		} {
			began := time.Now()
			status, err := do(ctx, b.face, b.tenant, step.method, "/users/me/secrets"+step.path, step.body)
			if err != nil || status != step.want {
				return nil, fmt.Errorf("%s of round %d was answered %d, %w", step.method, i, status, err)
			}
			times[step.op] = append(times[step.op], time.Since(began))
		}
	}
	return times, nil
}

// flood returns a load of writes, one after the other on each connection, rate a second
// in all, or as many as there can be where rate is 0. Each connection's are of one secret,
// so that no limit is met.
func (b *bench) flood(a conformance.Account, path string, connections, rate int) func(context.Context) {
	return func(ctx context.Context) {
		pace := xrate.NewLimiter(xrate.Inf, 1)
		if rate > 0 {
			pace.SetLimit(xrate.Limit(rate))
		}
		var all sync.WaitGroup
		for i := range connections {
			all.Go(func() {
				body := fmt.Sprintf(`{"name":"flood-%d","value":"v"}`, i)
				_, _ = do(ctx, b.others, a, "POST", path, body) // whatever it is answered
				for pace.Wait(ctx) == nil {
					_, _ = do(ctx, b.others, a, "PATCH", fmt.Sprint(path, "/flood-", i), fmt.Sprintf(`{"description":"%d"}`, b.serial.Add(1)))
				}
			})
		}
		all.Wait()
	}
}

// trickle returns a load of requests whose bodies come a byte at a time; a request that is
// answered is followed by the next.
func (b *bench) trickle(a conformance.Account, path string, connections int) func(context.Context) {
	return func(ctx context.Context) {
		var all sync.WaitGroup
		for i := range connections {
			all.Go(func() {
				after := time.Duration(i) * time.Second / time.Duration(connections)
				select { // not all at once
				case <-time.After(after):
				case <-ctx.Done():
				}
				for ctx.Err() == nil {
					b.trickleOnce(ctx, a, path)
				}
			})
		}
		all.Wait()
	}
}

func (b *bench) trickleOnce(ctx context.Context, a conformance.Account, path string) {
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
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.others.Coder+path, body)
	if err != nil {
		return
	}
	r.ContentLength = 1000
	r.Header.Set("Coder-Session-Token", a.Token)
	if answer, err := b.others.Client.Do(r); err == nil {
		_ = answer.Body.Close()
		select { // as somebody who keeps so many open
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}
