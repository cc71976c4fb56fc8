// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// perTenant is how many objects a namespace gets, writers how many clients there are.
const perTenant, writers = 20, 8

// sample is a value of 64 bytes.
const sample = "a sample value of some bytes, sixty-four of them, as in the aim."

func runLoad(ctx context.Context, b *bench, o options) error {
	if err := defineBare(ctx, b.Client); err != nil {
		return fmt.Errorf("define a custom resource to compare with: %w", err)
	}
	for range o.rounds {
		bare, err := b.bare(ctx, o.objects)
		if err != nil {
			return err
		}
		ours, err := b.burst(ctx, o.objects)
		if err != nil {
			return err
		}
		b.report.add("a bare client, objects a second", "/s", "", bare)
		b.report.add("Latchkey, objects a second until all are Ready", "/s", "", ours)
		b.report.add("ratio of the two", "", "≥ 0.8", ours/bare)
	}
	return b.growth(ctx, o.rounds)
}

// burst creates UserSecrets and returns how many became Ready in a second.
func (b *bench) burst(ctx context.Context, n int) (float64, error) {
	tenants, err := b.namespaces(ctx, n/perTenant)
	if err != nil {
		return 0, err
	}
	watched, stop := context.WithCancel(ctx)
	defer stop()
	seen, err := b.readiness(watched, tenants)
	if err != nil {
		return 0, err
	}
	before, err := b.idle(ctx)
	if err != nil {
		return 0, err
	}
	created := make([]time.Time, n)
	ready := map[string]time.Time{}
	written := make(chan error, 1)
	began := time.Now()
	go func() {
		written <- each(n, func(i int) error {
			u := framework.UserSecret(tenants[i%len(tenants)], fmt.Sprintf("o%d", i),
				v1alpha1.UserSecretSpec{Value: v1alpha1.WriteOnlyString(sample), EnvName: fmt.Sprintf("LOAD_%d", i)})
			created[i] = time.Now()
			return b.Client.Create(ctx, u)
		})
	}()
	bound := time.After(10 * time.Minute)
	for writing := true; writing || len(ready) < n; {
		select {
		case err := <-written:
			if writing = false; err != nil {
				return 0, err
			}
		case name := <-seen:
			if _, again := ready[name]; !again {
				ready[name] = time.Now()
			}
		case <-bound:
			return 0, fmt.Errorf("%d of %d are Ready after 10 minutes", len(ready), n)
		}
	}
	took := time.Since(began)
	after, err := b.idle(ctx)
	if err != nil {
		return 0, err
	}
	waits := make([]time.Duration, n)
	for i := range n {
		waits[i] = ready[fmt.Sprintf("o%d", i)].Sub(created[i])
	}
	b.addBurst(waits, after.since(before, n))
	return float64(n) / took.Seconds(), b.complete(ctx, tenants)
}

func (b *bench) addBurst(waits []time.Duration, per counts) {
	b.report.add("burst: from request to Ready, p50", "ms", "", percentile(waits, 50))
	b.report.add("burst: from request to Ready, p99", "ms", "< 1000", percentile(waits, 99))
	b.report.add("burst: values opened per object", "", "≤ 1.1", per.opened)
	b.report.add("burst: bundle writes per object", "", "≤ 0.25", per.bundles)
	b.report.add("burst: writing requests of both processes per object", "", "", per.writes)
	b.report.add("burst: reading requests of both processes per object", "", "", per.reads)
	b.report.add("burst: allocations of the controller per object", "", "", per.allocations)
	b.report.add("burst: CPU of the controller per object", "ms", "", per.cpu*1000)
	b.report.add("burst: CPU of the server per object", "ms", "", per.serverCPU*1000)
}

// percentile returns one of durations, in milliseconds.
func percentile(all []time.Duration, percent int) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return float64(sorted[min(len(sorted)-1, len(sorted)*percent/100)].Microseconds()) / 1000
}

// readiness tells the names of those UserSecrets in the namespaces given that are Ready,
// some of them more than once.
func (b *bench) readiness(ctx context.Context, namespaces []string) (<-chan string, error) {
	mine := map[string]bool{}
	for _, ns := range namespaces {
		mine[ns] = true
	}
	objects, err := cache.New(b.Config, cache.Options{Scheme: framework.NewScheme()})
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
		if ok && mine[u.Namespace] && meta.IsStatusConditionTrue(u.Status.Conditions, v1alpha1.ConditionReady) {
			select {
			case ready <- u.Name:
			case <-ctx.Done():
			}
		}
	}}); err != nil {
		return nil, err
	}
	go func() { _ = objects.Start(ctx) }()
	if !objects.WaitForCacheSync(ctx) {
		return nil, errors.New("the objects cannot be listed")
	}
	return ready, nil
}

// complete checks that the bundles are complete.
func (b *bench) complete(ctx context.Context, namespaces []string) error {
	return each(len(namespaces), func(i int) error {
		secret := &corev1.Secret{}
		if err := b.Client.Get(ctx, client.ObjectKey{Namespace: namespaces[i], Name: v1alpha1.BundleUserEnv}, secret); err != nil {
			return err
		}
		if len(secret.Data) != perTenant {
			return fmt.Errorf("%s has %d values, want %d", namespaces[i], len(secret.Data), perTenant)
		}
		return nil
	})
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
