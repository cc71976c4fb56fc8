// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/test/framework"
)

// now returns the present end of the audit log.
func now() framework.Mark {
	GinkgoHelper()
	mark, err := cluster.Audit.Now()
	Expect(err).NotTo(HaveOccurred())
	return mark
}

// requests returns what was asked of the API server since mark.
func requests(_ context.Context, mark framework.Mark, filters ...framework.Filter) []framework.Request {
	GinkgoHelper()
	found, err := cluster.Audit.Since(mark, filters...)
	Expect(err).NotTo(HaveOccurred())
	return found
}

// whileStopped does something while there is no controller.
func whileStopped(ctx context.Context, do func()) {
	GinkgoHelper()
	_, err := controller.Stop()
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(controller.Start(ctx, quickly...)).To(Succeed()) }()
	do()
}

// measured returns the sum of a metric of the controller; 0 where it was never set.
func measured(ctx context.Context, name string, labels ...string) float64 {
	GinkgoHelper()
	metrics, err := controller.Metrics(ctx)
	Expect(err).NotTo(HaveOccurred())
	sum, _ := metrics.Sum(name, labels...)
	return sum
}
