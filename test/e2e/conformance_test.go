// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"github.com/latchkey-dev/latchkey/test/conformance"
)

// The cases of both REST contracts, through the Service and through the API server.
var _ = Describe("The REST contracts", Ordered, ContinueOnFailure, func() {
	BeforeAll(func(ctx SpecContext) {
		Expect(conformance.Tenants{Admin: api}.Prepare(ctx)).To(Succeed())
	})

	for _, name := range []string{"direct", "aggregated"} {
		It("hold on the "+name+" face", func(ctx SpecContext) {
			f := direct
			if name == "aggregated" {
				f = aggregated
			}
			tenants := conformance.Tenants{Admin: api, Labels: labels{labelRun: runID}}
			reader, err := tenants.New(ctx, tenantName("reader-"+name), nil, nil)
			Expect(err).NotTo(HaveOccurred())
			f, err = f.Held(ctx, reader.Token)
			Expect(err).NotTo(HaveOccurred())
			coder, err := conformance.CoderCases()
			Expect(err).NotTo(HaveOccurred())
			golem, err := conformance.GolemCases()
			Expect(err).NotTo(HaveOccurred())
			var group errgroup.Group
			group.SetLimit(8)
			var ran atomic.Int64
			prefix := tenantName(name[:1])
			for i, c := range coder {
				if c.NotOn(f) != "" {
					continue
				}
				group.Go(func() error {
					ran.Add(1)
					if err := conformance.RunCoder(ctx, f, tenants, c, fmt.Sprintf("%sc%d", prefix, i)); err != nil {
						return fmt.Errorf("coder, %s: %w", c.Name, err)
					}
					return nil
				})
			}
			for i, c := range golem {
				if c.NotOn(f) != "" {
					continue
				}
				group.Go(func() error {
					ran.Add(1)
					if err := conformance.RunGolem(ctx, f, tenants, c, fmt.Sprintf("%sg%d", prefix, i)); err != nil {
						return fmt.Errorf("golem, %s: %w", c.Name, err)
					}
					return nil
				})
			}
			Expect(group.Wait()).To(Succeed())
			AddReportEntry("cases on the "+name+" face", fmt.Sprintf("%d, of %d", ran.Load(), len(coder)+len(golem)), ReportEntryVisibilityNever)
		})
	}
})
