// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command fairness measures what the load of others does to one tenant's requests, on a
// control plane of its own (`make bench-fairness`). It prints the 50th and 99th percentile
// of the tenant's reads and writes without load, and under each load, with the ratio to
// those without, all in one run. The tenant's rounds come at a fixed rate, and the loads
// take turns several times, so that what the machine does besides counts for all alike.
// A load is a process of its own, on the machine that it loads. It stops by itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
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
	work := func() error { return run(context.Background(), *n) }
	if flag.Arg(0) == "load" {
		work = load
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is a stack with one tenant, a stranger without rights, and a neighbour who is a
// tenant too.
type bench struct {
	url                         string
	ca                          []byte
	face                        conformance.Face // the tenant's
	tenant, stranger, neighbour conformance.Account
	serial                      int
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
	tenants, own := "/users/"+b.tenant.Name+"/secrets", "/users/me/secrets"
	loads := []struct {
		name string
		job  job
	}{
		{"no load", job{}},
		{"205 bodies that trickle, by a stranger", job{Token: b.stranger.Token, Path: tenants, Connections: 205, Trickle: true}},
		{"205 bodies that trickle, by a neighbour", job{Token: b.neighbour.Token, Path: own, Connections: 205, Trickle: true}},
		{"300 refused writes a second, by a stranger", job{Token: b.stranger.Token, Path: tenants, Connections: 32, Rate: 300}},
		{"20 writes a second, by a neighbour", job{Token: b.neighbour.Token, Path: own, Connections: 32, Rate: 20}},
		{"32 connections of refused writes, by a stranger", job{Token: b.stranger.Token, Path: tenants, Connections: 32}},
		{"32 connections of writes, by a neighbour", job{Token: b.neighbour.Token, Path: own, Connections: 32}},
	}
	if _, err := b.under(ctx, job{}, n); err != nil { // to warm up
		return err
	}
	times := make([]map[string][]time.Duration, len(loads))
	for range 3 {
		for i, l := range loads {
			got, err := b.under(ctx, l.job, n)
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
	b.url, b.ca = url, ca
	if b.face, err = conformance.Direct(url, ca); err != nil {
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

// under measures n rounds of the tenant's requests, one after the other, while a load runs.
func (b *bench) under(ctx context.Context, j job, n int) (map[string][]time.Duration, error) {
	if j.Connections > 0 {
		j.URL, j.CA = b.url, b.ca
		end, err := j.start(ctx)
		if err != nil {
			return nil, err
		}
		defer end()
	}
	times := map[string][]time.Duration{}
	pace := xrate.NewLimiter(rounds, 1)
	for i := range n {
		if err := pace.Wait(ctx); err != nil {
			return nil, err
		}
		b.serial++
		name := fmt.Sprint("s-", b.serial)
		for _, step := range []struct {
			op, method, path, body string
			want                   int
		}{
			{"write", "POST", "", `{"name":"` + name + `","value":"a sample value"}`, http.StatusCreated},
			{"read", "GET", "/" + name, "", http.StatusOK},
			{"write", "DELETE", "/" + name, "", http.StatusNoContent},
		} {
			began := time.Now()
			status, err := do(ctx, b.face, b.tenant.Token, step.method, "/users/me/secrets"+step.path, step.body)
			if err != nil || status != step.want {
				return nil, fmt.Errorf("%s of round %d was answered %d, %w", step.method, i, status, err)
			}
			times[step.op] = append(times[step.op], time.Since(began))
		}
	}
	return times, nil
}
