// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

const (
	loadTenants   = 20
	loadPerTenant = 50 // a tenant's limit
	loadWriters   = 16
	// loadWrites is how many writes of native Secrets are far below one for each
	// object.
	loadWrites = 300
)

var _ = Describe("1,000 UserSecrets in 20 namespaces, created as fast as possible", func() {
	It("are all ready and in the right bundles, after few writes", func(ctx SpecContext) {
		load := newLoad(ctx)
		start, mark := time.Now(), now()
		load.create(ctx, nil)
		created := time.Since(start)
		load.awaitReady(ctx)
		ready := time.Since(start)
		writes := len(requests(ctx, mark, framework.ByController, framework.Writes, framework.On("secrets"), load.in))
		AddReportEntry("load", ReportEntryVisibilityAlways, fmt.Sprintf(
			"%d UserSecrets in %d namespaces: created in %s, all ready after %s, %d writes of native Secrets",
			loadTenants*loadPerTenant, loadTenants, created.Round(time.Millisecond), ready.Round(time.Millisecond), writes))
		load.expectBundles(ctx)
		Expect(writes).To(BeNumerically("<", loadWrites))
	})

	It("survive that the controller is killed again and again", func(ctx SpecContext) {
		load := newLoad(ctx)
		seed := uint64(GinkgoRandomSeed())
		random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a failed run is repeated from its seed
		var moments []int
		for range 5 {
			moments = append(moments, 1+random.IntN(loadTenants*loadPerTenant-1))
		}
		slices.Sort(moments)
		AddReportEntry("kills", ReportEntryVisibilityAlways, fmt.Sprintf(
			"SIGKILL when %v of %d objects were created (seed %d)", moments, loadTenants*loadPerTenant, seed))
		// One that leads alone does not wait until the Lease of the killed one ends.
		alone := slices.Concat(quickly, []string{"--leader-elect=false"})
		Expect(controller.Restart(ctx, alone...)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(controller.Restart(ctx, quickly...)).To(Succeed()) })

		mark := now()
		load.create(ctx, func(progress *atomic.Int64) error {
			for _, moment := range moments {
				for progress.Load() < int64(moment) && ctx.Err() == nil {
					<-time.After(time.Millisecond)
				}
				if err := controller.Kill(); err != nil {
					return err
				}
				if err := controller.Launch(ctx, alone...); err != nil {
					return err
				}
			}
			return nil
		})
		// And once more while it makes up for all that.
		Expect(controller.Kill()).To(Succeed())
		Expect(controller.Start(ctx, alone...)).To(Succeed())
		load.awaitReady(ctx)
		load.expectBundles(ctx)
		writes := len(requests(ctx, mark, framework.ByController, framework.Writes, framework.On("secrets"), load.in))
		AddReportEntry("load with kills", ReportEntryVisibilityAlways, fmt.Sprintf("%d writes of native Secrets", writes))
	})
})

// load is what the specs create.
type load struct {
	tenants []string
	objects []*v1alpha1.UserSecret
}

func newLoad(ctx context.Context) *load {
	GinkgoHelper()
	l := &load{tenants: newTenants(ctx, loadTenants)}
	for i := range loadPerTenant {
		for t, tenant := range l.tenants {
			l.objects = append(l.objects, framework.UserSecret(tenant, fmt.Sprintf("s%02d", i), v1alpha1.UserSecretSpec{
				EnvName: fmt.Sprintf("S%02d", i), Value: v1alpha1.WriteOnlyString(loadValue(t, i)),
			}))
		}
	}
	return l
}

func loadValue(tenant, i int) string { return fmt.Sprintf("%s-%d-%d", canary, tenant, i) }

// in passes requests for what is in one of the tenants.
func (l *load) in(r framework.Request) bool { return slices.Contains(l.tenants, r.Namespace) }

// create creates all objects, tenant after tenant in turn, while meanwhile is done.
func (l *load) create(ctx context.Context, meanwhile func(progress *atomic.Int64) error) {
	GinkgoHelper()
	var progress atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(loadWriters + 1)
	if meanwhile != nil {
		group.Go(func() error { return meanwhile(&progress) })
	}
	for _, o := range l.objects {
		group.Go(func() error {
			defer progress.Add(1)
			return api.Create(ctx, o)
		})
	}
	Expect(group.Wait()).To(Succeed())
}

// awaitReady waits until the status of every object says that it is ready.
func (l *load) awaitReady(ctx context.Context) {
	GinkgoHelper()
	for _, tenant := range l.tenants {
		Eventually(ctx, func(g Gomega) {
			all := &v1alpha1.UserSecretList{}
			g.Expect(api.List(ctx, all, client.InNamespace(tenant))).To(Succeed())
			ready := 0
			for i := range all.Items {
				if at := all.Items[i].Status.Env; at != nil && all.Items[i].Status.Conditions[0].Status == "True" {
					ready++
				}
			}
			g.Expect(ready).To(Equal(loadPerTenant))
		}).WithTimeout(time.Minute).Should(Succeed())
	}
}

// expectBundles compares every bundle with what it must hold.
func (l *load) expectBundles(ctx context.Context) {
	GinkgoHelper()
	for t, tenant := range l.tenants {
		want := values{}
		for i := range loadPerTenant {
			want[fmt.Sprintf("S%02d", i)] = loadValue(t, i)
		}
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(Equal(want))
	}
}
