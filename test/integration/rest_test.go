// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
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
		first, second = restFace(ctx, server), restFace(ctx, replica)
		agg, err = conformance.Aggregated(cluster.Config.Host, cluster.Config.CAData)
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
		reader, err := tenants.New(ctx, "openapi-reader", nil, nil)
		Expect(err).NotTo(HaveOccurred())
		for _, f := range []*conformance.Face{&first, &second, &agg} {
			*f, err = f.Held(ctx, reader.Token)
			Expect(err).NotTo(HaveOccurred())
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
})

func named(f conformance.Face, name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %s: %w", f.Name, name, err)
	}
	return nil
}

// inParallel runs jobs, some at once, and returns their failures.
func inParallel(width int, jobs []func() error) []string {
	errs := make([]error, len(jobs))
	var group errgroup.Group
	group.SetLimit(width)
	for i, job := range jobs {
		group.Go(func() error { errs[i] = job(); return nil })
	}
	_ = group.Wait() // errs has them all
	var failures []string
	for _, err := range errs {
		if err != nil {
			failures = append(failures, err.Error())
		}
	}
	return failures
}
