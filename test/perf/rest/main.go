// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command rest measures the user-secrets REST API beside the same operations on the
// UserSecret objects through kube-apiserver, in one run against the local stack
// (`make bench-rest`, or `make up` and source bin/dev/env). It prints, for each
// operation and number of connections, requests per second and the 50th and 99th
// percentile, and the ratios of the rate and of the 50th percentile. With several replicas
// it measures the way through one that stands by as well. It is bounded in requests and
// stops by itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/server/active"
	"github.com/latchkey-dev/latchkey/test/conformance"
	"github.com/latchkey-dev/latchkey/test/framework"
)

func main() {
	n := flag.Int("n", 600, "requests per measurement, 4 to 900")
	flag.Parse()
	if *n < 4 || *n > users*places-60 {
		fmt.Fprintln(os.Stderr, "bench: -n must be from 4 to 900: more secrets than that do not fit the users' limits")
		os.Exit(2)
	}
	if err := run(context.Background(), *n); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one set-up: users over whom the requests are spread, so that no limit is
// met.
type bench struct {
	admin client.Client
	// direct is the active server's port, standby that of another replica, if there is one.
	direct, standby, kube conformance.Face
	users                 []conformance.Account
	requests              int
	serial                atomic.Int64
}

// connections are how many clients are measured.
var connections = []int{1, 8, 32}

// users is how many there are, each with listed secrets; places is how many more one
// may have.
const users, listed, places = 32, 20, 30

func run(ctx context.Context, n int) error {
	b, err := setUp(ctx, n)
	if err != nil {
		return err
	}
	fmt.Printf("%-12s %5s  %28s  %28s  %-18s  %28s  %s\n", "", "conns", "Latchkey REST", "UserSecret, kube-apiserver", "ratio of rate, p50",
		"through a standby", "ratio of p50")
	for _, op := range operations {
		for _, c := range connections {
			r, k := b.measure(ctx, c, b.rest(b.direct, op)), b.measure(ctx, c, b.raw(op))
			fmt.Printf("%-12s %5d  %28s  %28s  %-18s", op, c, r, k, fmt.Sprintf("%.2f %.2f", r.rate/k.rate, float64(r.p50)/float64(k.p50)))
			if b.standby.Client != nil {
				s := b.measure(ctx, c, b.rest(b.standby, op))
				fmt.Printf("  %28s  %.2f", s, float64(s.p50)/float64(r.p50))
				k.err = errors.Join(k.err, s.err)
			}
			fmt.Println()
			if err := errors.Join(r.err, k.err); err != nil {
				return fmt.Errorf("%s: %w", op, err)
			}
		}
	}
	return nil
}

// figures are what one measurement came to.
type figures struct {
	rate     float64
	p50, p99 time.Duration
	err      error
}

func (f figures) String() string {
	return fmt.Sprintf("%6.0f/s p50 %s p99 %s", f.rate, short(f.p50), short(f.p99))
}

func short(d time.Duration) string { return fmt.Sprintf("%.1fms", float64(d.Microseconds())/1000) }

// measure sends requests over conns connections, after some that are not counted.
func (b *bench) measure(ctx context.Context, conns int, f request) figures {
	_, _, warmUp := b.send(ctx, conns, min(b.requests/4, 50), f)
	took, times, err := b.send(ctx, conns, b.requests, f)
	err = errors.Join(warmUp, err, b.tidy(ctx))
	n := len(times)
	slices.Sort(times)
	return figures{rate: float64(n) / took.Seconds(), p50: times[n/2], p99: times[min(n-1, n*99/100)], err: err}
}

// send sends n requests over conns connections and returns the time of all and that
// of each.
func (b *bench) send(ctx context.Context, conns, n int, f request) (time.Duration, []time.Duration, error) {
	times := make([]time.Duration, n)
	var group errgroup.Group
	group.SetLimit(conns)
	began := time.Now()
	for i := range n {
		group.Go(func() error {
			t := time.Now()
			err := f(ctx, i%len(b.users))
			times[i] = time.Since(t)
			return err
		})
	}
	err := group.Wait()
	return time.Since(began), times, err
}

func setUp(ctx context.Context, n int) (*bench, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil || os.Getenv("LATCHKEY_URL") == "" {
		return nil, errors.New("run `make up` and source bin/dev/env first")
	}
	cfg.QPS = -1
	if err := rest.LoadTLSFiles(cfg); err != nil {
		return nil, err
	}
	admin, err := client.New(cfg, client.Options{Scheme: framework.NewScheme()})
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(os.Getenv("LATCHKEY_CA"))
	if err != nil {
		return nil, err
	}
	b := &bench{admin: admin, requests: n}
	if err := b.findServers(ctx, ca); err != nil {
		return nil, err
	}
	if b.kube, err = conformance.Aggregated(cfg.Host, cfg.CAData); err != nil {
		return nil, err
	}
	b.kube.Golem = cfg.Host // the base of plain API requests
	tenants := conformance.Tenants{Admin: admin}
	run := fmt.Sprintf("bench-%x", time.Now().UnixMilli())
	for w := range users {
		u, err := tenants.NewUser(ctx, fmt.Sprintf("%s-%d", run, w))
		if err != nil {
			return nil, err
		}
		if err := tenants.GrantEditor(ctx, u); err != nil {
			return nil, err
		}
		b.users = append(b.users, u)
	}
	err = b.fill(ctx)
	return b, err
}

// findServers finds the active server among the replicas, and one that stands by.
func (b *bench) findServers(ctx context.Context, ca []byte) error {
	lease := &coordinationv1.Lease{}
	if err := b.admin.Get(ctx, client.ObjectKey{Namespace: framework.SystemNamespace, Name: active.LeaseName}, lease); err != nil {
		return err
	}
	holder, _, _ := strings.Cut(ptr.Deref(lease.Spec.HolderIdentity, ""), "/")
	for url := range strings.FieldsSeq(os.Getenv("LATCHKEY_URLS")) {
		face, err := conformance.Direct(url, ca)
		if err != nil {
			return err
		}
		if holder[strings.LastIndex(holder, ":")+1:] == url[strings.LastIndex(url, ":")+1:] {
			b.direct = face
		} else {
			b.standby = face
		}
	}
	if b.direct.Client == nil {
		return fmt.Errorf("none of %s is the active server %q", os.Getenv("LATCHKEY_URLS"), holder)
	}
	return nil
}
