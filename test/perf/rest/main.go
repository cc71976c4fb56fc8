// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command rest measures the user-secrets REST API beside the same operations on the
// UserSecret objects through kube-apiserver, in one run against the local stack
// (`make up`, then source bin/dev/env). It prints, for each operation and number of
// connections, requests per second and the 50th and 99th percentile, and the ratio
// of the two. It is bounded in requests and stops by itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/test/conformance"
)

func main() {
	n := flag.Int("n", 600, "requests per measurement")
	flag.Parse()
	if err := run(context.Background(), *n); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one set-up: tenants of which each connection has its own.
type bench struct {
	direct, kube conformance.Face
	users        []conformance.Account
	requests     int
	serial       atomic.Int64
}

// connections are how many clients are measured.
var connections = []int{1, 8, 32}

func run(ctx context.Context, n int) error {
	b, err := setUp(ctx, n)
	if err != nil {
		return err
	}
	fmt.Printf("%-12s %5s  %28s  %28s  %s\n", "", "conns", "Latchkey REST", "UserSecret, kube-apiserver", "ratio of rate, p50")
	for _, op := range []struct {
		name       string
		rest, kube func(ctx context.Context, worker int) error
	}{
		{"GET one", b.get(b.restURL("/bench-0")), b.get(b.kubeURL("/bench-0"))},
		{"GET list 20", b.get(b.restURL("")), b.get(b.kubeURL(""))},
		{"POST", b.restPost, b.kubePost},
		{"PATCH", b.restPatch, b.kubePatch},
	} {
		for _, c := range connections {
			b.measure(ctx, c, min(b.requests/4, 50), op.rest) // warm up
			r := b.measure(ctx, c, b.requests, op.rest)
			b.measure(ctx, c, min(b.requests/4, 50), op.kube)
			k := b.measure(ctx, c, b.requests, op.kube)
			fmt.Printf("%-12s %5d  %28s  %28s  %.2f %.2f\n", op.name, c, r, k, r.rate/k.rate, float64(r.p50)/float64(k.p50))
			if err := errors.Join(r.err, k.err); err != nil {
				return fmt.Errorf("%s: %w", op.name, err)
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

func (b *bench) measure(ctx context.Context, conns, n int, f func(context.Context, int) error) figures {
	var next atomic.Int64
	times := make([]time.Duration, n)
	var mu sync.Mutex
	var failed error
	began := time.Now()
	var wg sync.WaitGroup
	for w := range conns {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				t := time.Now()
				if err := f(ctx, w); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
				times[i-1] = time.Since(t)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	slices.Sort(times)
	return figures{rate: float64(n) / took.Seconds(), p50: times[n/2], p99: times[min(n-1, n*99/100)], err: failed}
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
	admin, err := client.New(cfg, client.Options{})
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(os.Getenv("LATCHKEY_CA"))
	if err != nil {
		return nil, err
	}
	b := &bench{requests: n}
	if b.direct, err = conformance.Direct(os.Getenv("LATCHKEY_URL"), ca); err != nil {
		return nil, err
	}
	if b.kube, err = conformance.Aggregated(cfg.Host, cfg.CAData); err != nil {
		return nil, err
	}
	b.kube.Golem = cfg.Host // the base of plain API requests
	tenants := conformance.Tenants{Admin: admin}
	run := fmt.Sprintf("bench-%x", time.Now().UnixMilli())
	for w := range slices.Max(connections) {
		u, err := tenants.NewUser(ctx, fmt.Sprintf("%s-%d", run, w))
		if err != nil {
			return nil, err
		}
		for _, role := range []string{"latchkey-view", "latchkey-edit"} {
			if err := tenants.Grant(ctx, u.Namespace, "caller", role); err != nil {
				return nil, err
			}
		}
		b.users = append(b.users, u)
	}
	if err := b.fill(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// fill gives every tenant 20 secrets.
func (b *bench) fill(ctx context.Context) error {
	deadline := time.Now().Add(20 * time.Second)
	for w := range b.users {
		for i := 0; i < 20; {
			err := b.send(ctx, b.direct, http.MethodPost, b.restURL("")(w), w, fmt.Sprintf(`{"name":"bench-%d","value":"a sample value of some bytes, sixty-four of them, as in the aim."}`, i), "")
			switch {
			case err == nil:
				i++
			case time.Now().After(deadline):
				return err
			}
		}
	}
	return nil
}

func (b *bench) restURL(path string) func(int) string {
	return func(int) string { return b.direct.Coder + "/users/me/secrets" + path }
}

func (b *bench) kubeURL(path string) func(int) string {
	return func(w int) string {
		return b.kube.Golem + "/apis/latchkey.dev/v1alpha1/namespaces/" + b.users[w].Namespace + "/usersecrets" + path
	}
}

func (b *bench) get(url func(int) string) func(context.Context, int) error {
	return func(ctx context.Context, w int) error {
		face := b.direct
		if strings.HasPrefix(url(w), b.kube.Golem) {
			face = b.kube
		}
		return b.send(ctx, face, http.MethodGet, url(w), w, "", "")
	}
}

// post creates one secret and, not to reach the limit, deletes another way: each
// worker's secret is replaced by the next.
func (b *bench) restPost(ctx context.Context, w int) error {
	name := fmt.Sprintf("post-%d", b.serial.Add(1))
	return b.send(ctx, b.direct, http.MethodPost, b.restURL("")(w), w, fmt.Sprintf(`{"name":%q,"value":"a sample value"}`, name), "/"+name)
}

func (b *bench) kubePost(ctx context.Context, w int) error {
	name := fmt.Sprintf("post-%d", b.serial.Add(1))
	body := fmt.Sprintf(`{"apiVersion":"latchkey.dev/v1alpha1","kind":"UserSecret","metadata":{"name":%q},"spec":{"value":"a sample value"}}`, name)
	return b.send(ctx, b.kube, http.MethodPost, b.kubeURL("")(w), w, body, "/"+name)
}

func (b *bench) restPatch(ctx context.Context, w int) error {
	return b.send(ctx, b.direct, http.MethodPatch, b.restURL("/bench-1")(w), w, fmt.Sprintf(`{"description":"number %d"}`, b.serial.Add(1)), "")
}

func (b *bench) kubePatch(ctx context.Context, w int) error {
	return b.send(ctx, b.kube, http.MethodPatch, b.kubeURL("/bench-1")(w), w, fmt.Sprintf(`{"spec":{"description":"number %d"}}`, b.serial.Add(1)), "")
}

// send sends one request of worker w. Undo is deleted afterwards, without being
// measured as a request of its own: it counts into the creation's time on both
// sides alike.
func (b *bench) send(ctx context.Context, f conformance.Face, method, url string, w int, body, undo string) error {
	header := http.Header{"Authorization": {"Bearer " + b.users[w].Token}, "Content-Type": {"application/json"}}
	if method == http.MethodPatch {
		header.Set("Content-Type", "application/merge-patch+json")
	}
	got, err := f.Do(ctx, method, url, header, body)
	if err != nil {
		return err
	}
	if got.Status >= 300 {
		return fmt.Errorf("%s %s answered %d: %.200s", method, url, got.Status, got.Body)
	}
	if undo == "" {
		return nil
	}
	if got, err = f.Do(ctx, http.MethodDelete, url+undo, header, ""); err == nil && got.Status >= 300 {
		err = fmt.Errorf("DELETE answered %d", got.Status)
	}
	return err
}
