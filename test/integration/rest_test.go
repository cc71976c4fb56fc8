// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/test/conformance"
	"github.com/latchkey-dev/latchkey/test/framework"
)

var _ = Describe("The REST APIs", Ordered, func() {
	var (
		replica            *framework.Process
		first, second, agg conformance.Face
		tenants            conformance.Tenants
	)

	BeforeAll(func(ctx SpecContext) {
		var err error
		replica, err = cluster.Server("replica")
		Expect(err).NotTo(HaveOccurred())
		Expect(replica.Start(ctx)).To(Succeed())
		ca, err := cluster.RESTAuthority(ctx)
		Expect(err).NotTo(HaveOccurred())
		face := func(p *framework.Process) conformance.Face {
			url, err := p.RESTURL()
			Expect(err).NotTo(HaveOccurred())
			f, err := conformance.Direct(url, ca)
			Expect(err).NotTo(HaveOccurred())
			return f
		}
		first, second = face(server), face(replica)
		agg, err = conformance.Aggregated("https://"+cluster.Config.Host, cluster.Config.CAData)
		Expect(err).NotTo(HaveOccurred())
		tenants = conformance.Tenants{Admin: api}
		Expect(tenants.Prepare(ctx)).To(Succeed())
		for _, name := range []string{"v2.coder.latchkey.dev", "v1.golem.latchkey.dev"} {
			Eventually(ctx, func(g Gomega) {
				s := &unstructured.Unstructured{}
				s.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"})
				g.Expect(api.Get(ctx, client.ObjectKey{Name: name}, s)).To(Succeed())
				g.Expect(fmt.Sprint(s.Object["status"])).To(MatchRegexp("status:True type:Available"))
			}).Should(Succeed())
		}
	})

	AfterAll(func() {
		_, err := replica.Stop()
		Expect(err).NotTo(HaveOccurred())
	})

	It("answer every case of both contracts, on both faces", func(ctx SpecContext) {
		coder, err := conformance.CoderCases()
		Expect(err).NotTo(HaveOccurred())
		golem, err := conformance.GolemCases()
		Expect(err).NotTo(HaveOccurred())
		var jobs []func() error
		left := 0
		for f, face := range []conformance.Face{first, agg} {
			for i, c := range coder {
				if why := c.NotOn(face); why != "" {
					left++
					AddReportEntry(c.Name+" is not run on the "+face.Name+" face", why)
					continue
				}
				jobs = append(jobs, func() error {
					return named(face, c.Name, conformance.RunCoder(ctx, face, tenants, c, fmt.Sprintf("coder-%d-%d", f, i)))
				})
			}
			for i, c := range golem {
				if why := c.NotOn(face); why != "" {
					left++
					AddReportEntry(c.Name+" is not run on the "+face.Name+" face", why)
					continue
				}
				jobs = append(jobs, func() error {
					return named(face, c.Name, conformance.RunGolem(ctx, face, tenants, c, fmt.Sprintf("golem-%d-%d", f, i)))
				})
			}
		}
		AddReportEntry("cases", fmt.Sprintf("%d run, %d do not apply to the aggregated face", len(jobs), left))
		Expect(inParallel(6, jobs)).To(BeEmpty())
	})

	It("let one of simultaneous requests win, through two replicas", func(ctx SpecContext) {
		r := conformance.Races{Faces: []conformance.Face{first, second}, Tenants: tenants, Width: 20}
		for i, c := range conformance.Contests() {
			Expect(r.Run(ctx, c, fmt.Sprintf("race-%d", i))).To(Succeed(), c.Name)
		}
		Expect(r.RunRevision(ctx, "race-revision")).To(Succeed())
	})

	It("lose nothing that was acknowledged when a replica is killed", func(ctx SpecContext) {
		me, err := tenants.NewUser(ctx, "killed")
		Expect(err).NotTo(HaveOccurred())
		header := http.Header{"Authorization": {"Bearer " + me.Token}}
		url := func(f conformance.Face) string { return f.Coder + "/users/me/secrets" }
		for _, f := range []conformance.Face{first, second} {
			Eventually(ctx, func() int {
				got, err := f.Do(ctx, http.MethodGet, url(f), header, "")
				if err != nil {
					return 0
				}
				return got.Status
			}).Should(Equal(http.StatusOK))
		}
		var mu sync.Mutex
		acknowledged := map[string]bool{}
		var sent atomic.Int64
		var writers sync.WaitGroup
		for range 8 {
			writers.Go(func() {
				for n := sent.Add(1); n <= 48; n = sent.Add(1) {
					name := fmt.Sprintf("burst-%d", n)
					got, err := second.Do(ctx, http.MethodPost, url(second), header, fmt.Sprintf(`{"name":%q,"value":"v"}`, name))
					if err == nil && got.Status == http.StatusCreated {
						mu.Lock()
						acknowledged[name] = true
						mu.Unlock()
					}
				}
			})
		}
		Eventually(ctx, func() int {
			mu.Lock()
			defer mu.Unlock()
			return len(acknowledged)
		}, time.Minute).Should(BeNumerically(">=", 5))
		Expect(replica.Kill()).To(Succeed())
		writers.Wait()
		got, err := first.Do(ctx, http.MethodGet, url(first), header, "")
		Expect(err).NotTo(HaveOccurred())
		for name := range acknowledged {
			Expect(string(got.Body)).To(ContainSubstring(fmt.Sprintf(`"name":%q`, name)))
		}
		AddReportEntry("acknowledged before and at the kill", len(acknowledged))
		Expect(replica.Start(ctx)).To(Succeed())
	})
})

func named(f conformance.Face, name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %s: %w", f.Name, name, err)
	}
	return nil
}

// inParallel runs jobs, some at once, and returns their failures.
func inParallel(width int, jobs []func() error) []string {
	var mu sync.Mutex
	var failures []string
	var next atomic.Int64
	var wg sync.WaitGroup
	for range width {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(jobs)); i = next.Add(1) - 1 {
				if err := jobs[i](); err != nil {
					mu.Lock()
					failures = append(failures, err.Error())
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return failures
}
