// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package attacks holds the threat model's rows as tests: what an attacker can try
// against a running Latchkey, on a real API server, and that it fails for the reason
// that the design gives. Each has a positive control, so that none passes by failing.
package attacks

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/test/framework"
	"github.com/latchkey-dev/latchkey/test/framework/specs"
)

var (
	stack *framework.Stack
	api   client.Client // the administrator's, without a cache
)

func TestAttacks(t *testing.T) {
	specs.Run(t, "Attacks")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	stack, err = framework.StartStack(ctx, "--key-check-interval=300ms", "--reseal-rate=1000")
	Expect(err).NotTo(HaveOccurred())
	api = stack.Client
	failed = false
})

// failed reports whether the logs are of interest; they are until all is up.
var failed = true

var _ = ReportAfterEach(func(report SpecReport) { failed = failed || report.Failed() })

var _ = AfterSuite(func() {
	if stack == nil {
		return
	}
	problems, err := stack.Crashes()
	Expect(err).NotTo(HaveOccurred())
	failed = failed || len(problems) > 0
	Expect(stack.Stop(failed)).To(Succeed())
	if failed {
		AddReportEntry("logs are kept", stack.Dir, ReportEntryVisibilityAlways)
	}
	Expect(problems).To(BeEmpty(), "no process raced or panicked")
})
