// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package availability

import (
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/test/framework"
	"github.com/latchkey-dev/latchkey/test/framework/specs"
)

// shutdownDelay is the time in which clients are told to connect again, as in a cluster.
const shutdownDelay = "--shutdown-delay=500ms"

var (
	stack   *framework.Stack
	servers []*framework.Process
	failed  = true
)

func TestAvailability(t *testing.T) {
	specs.Run(t, "Availability", 1)
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	stack, err = framework.StartStack(ctx)
	Expect(err).NotTo(HaveOccurred())
	second, err := stack.Cluster.Server("second")
	Expect(err).NotTo(HaveOccurred())
	Expect(second.Start(ctx, shutdownDelay)).To(Succeed())
	Expect(stack.Server.Restart(ctx, shutdownDelay)).To(Succeed())
	servers = []*framework.Process{stack.Server, second}
	failed = false
})

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
	Expect(problems).To(BeEmpty())
})

// long reports whether outages are tried that take longer than a suite should.
func long() bool { return os.Getenv("LONG") != "" }
