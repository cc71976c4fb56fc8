// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command load measures how fast UserSecrets become Ready, in one run against the
// local stack (`make bench-load`, or `make up` and source bin/dev/env), beside a bare
// client that writes for each of as many objects a custom resource, a Secret and the
// custom resource's status: what an operator costs at least that treats every object by
// itself. It is bounded in objects and stops by itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// perTenant is how many objects a namespace gets, writers how many clients there are.
const perTenant, writers = 20, 8

func main() {
	n := flag.Int("n", 2000, "objects, a multiple of 20 up to 100000")
	flag.Parse()
	if *n < perTenant || *n > 100000 || *n%perTenant != 0 {
		fmt.Fprintln(os.Stderr, "bench: -n must be a multiple of 20 up to 100000")
		os.Exit(2)
	}
	if err := run(context.Background(), *n); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, n int) error {
	cfg, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil || os.Getenv("LATCHKEY_URL") == "" {
		return errors.New("run `make up` and source bin/dev/env first")
	}
	cfg.QPS = -1
	c, err := client.New(cfg, client.Options{Scheme: framework.NewScheme()})
	if err != nil {
		return err
	}
	run := fmt.Sprintf("load-%x", time.Now().UnixMilli())
	namespaces := make([]string, 0, 2*n/perTenant)
	for i := range 2 * (n / perTenant) {
		ns := framework.Namespace(fmt.Sprintf("%s-%d", run, i))
		if err := c.Create(ctx, ns); err != nil {
			return err
		}
		namespaces = append(namespaces, ns.Name)
	}
	if err := defineBare(ctx, c); err != nil {
		return fmt.Errorf("define a custom resource to compare with: %w", err)
	}
	bare, ours := namespaces[:len(namespaces)/2], namespaces[len(namespaces)/2:]
	if err := measureBare(ctx, c, n, bare); err != nil {
		return err
	}
	return measureOurs(ctx, cfg, c, n, ours)
}

// sample is a value of 64 bytes.
const sample = "a sample value of some bytes, sixty-four of them, as in the aim."

func measureOurs(ctx context.Context, cfg *rest.Config, c client.Client, n int, namespaces []string) error {
	mine := map[string]bool{}
	for _, ns := range namespaces {
		mine[ns] = true
	}
	created := make([]time.Time, n)
	ready := map[string]time.Time{}
	seen, err := readiness(ctx, cfg, mine)
	if err != nil {
		return err
	}
	written := make(chan error, 1)
	began := time.Now()
	go func() {
		written <- each(n, func(i int) error {
			u := framework.UserSecret(namespaces[i%len(namespaces)], fmt.Sprintf("o%d", i),
				v1alpha1.UserSecretSpec{Value: v1alpha1.WriteOnlyString(sample), EnvName: fmt.Sprintf("LOAD_%d", i)})
			created[i] = time.Now()
			return c.Create(ctx, u)
		})
	}()
	bound := time.After(10 * time.Minute)
	for writing := true; writing || len(ready) < n; {
		select {
		case err := <-written:
			if writing = false; err != nil {
				return err
			}
		case name := <-seen:
			if _, again := ready[name]; !again {
				ready[name] = time.Now()
			}
		case <-bound:
			return fmt.Errorf("%d of %d are Ready after 10 minutes", len(ready), n)
		}
	}
	took := time.Since(began)
	waits := make([]time.Duration, 0, n)
	for i := range n {
		waits = append(waits, ready[fmt.Sprintf("o%d", i)].Sub(created[i]))
	}
	slices.Sort(waits)
	bundles, err := completeBundles(ctx, c, namespaces)
	fmt.Printf("Latchkey:     %5d objects in %5.1f s, %4.0f/s, all Ready; from apply to Ready p50 %s, p99 %s; %d bundles\n",
		n, took.Seconds(), float64(n)/took.Seconds(), waits[n/2].Round(time.Millisecond), waits[n*99/100].Round(time.Millisecond), bundles)
	return err
}

// readiness tells the names of those UserSecrets in the namespaces given that are
// Ready, some of them more than once.
func readiness(ctx context.Context, cfg *rest.Config, namespaces map[string]bool) (<-chan string, error) {
	objects, err := cache.New(cfg, cache.Options{Scheme: framework.NewScheme()})
	if err != nil {
		return nil, err
	}
	informer, err := objects.GetInformer(ctx, &v1alpha1.UserSecret{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, err
	}
	ready := make(chan string, 1000)
	if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{UpdateFunc: func(_, obj any) {
		u, ok := obj.(*v1alpha1.UserSecret)
		if ok && namespaces[u.Namespace] && meta.IsStatusConditionTrue(u.Status.Conditions, v1alpha1.ConditionReady) {
			ready <- u.Name
		}
	}}); err != nil {
		return nil, err
	}
	go func() { _ = objects.Start(ctx) }() // it ends with the program
	if !objects.WaitForCacheSync(ctx) {
		return nil, errors.New("the objects cannot be listed")
	}
	return ready, nil
}

// completeBundles counts the bundles and checks that they are complete.
func completeBundles(ctx context.Context, c client.Client, namespaces []string) (int, error) {
	bundles := 0
	for _, ns := range namespaces {
		secret := &corev1.Secret{}
		if err := c.Get(ctx, client.ObjectKey{Namespace: ns, Name: v1alpha1.BundleUserEnv}, secret); err != nil {
			return 0, err
		}
		if len(secret.Data) != perTenant {
			return 0, fmt.Errorf("%s has %d values, want %d", ns, len(secret.Data), perTenant)
		}
		bundles++
	}
	return bundles, nil
}

// each calls f for 0 to n-1, by so many writers.
func each(n int, f func(i int) error) error {
	var group errgroup.Group
	group.SetLimit(writers)
	for i := range n {
		group.Go(func() error { return f(i) })
	}
	return group.Wait()
}
