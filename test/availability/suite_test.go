// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package availability

import (
	"context"
	"os"
	"strings"
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
	servers []*replica
	failed  = true
)

// replica is a server with the ways to and from it.
type replica struct {
	*framework.Process

	// cluster is its way to the API server, peers that of other replicas to it. It knows
	// of them by its flags.
	cluster, peers *framework.Link
	flags          []string
}

// link puts links around a server that does not run.
func link(ctx context.Context, p *framework.Process) *replica {
	GinkgoHelper()
	url, err := p.RESTURL()
	Expect(err).NotTo(HaveOccurred())
	r := &replica{Process: p}
	r.peers, err = framework.NewLink(ctx, strings.TrimPrefix(url, "https://"))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(r.peers.Close)
	r.cluster, err = stack.Link(ctx, "server")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(r.cluster.Close)
	r.flags = []string{shutdownDelay, "--kubeconfig=" + r.cluster.Kubeconfig, "--advertise-address=" + r.peers.Address()}
	return r
}

// Launch starts the server.
func (r *replica) Launch(ctx context.Context) error { return r.Process.Launch(ctx, r.flags...) }

func TestAvailability(t *testing.T) {
	specs.Run(t, "Availability")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	stack, err = framework.StartStack(ctx)
	Expect(err).NotTo(HaveOccurred())
	second, err := stack.Cluster.Server("second")
	Expect(err).NotTo(HaveOccurred())
	_, err = stack.Server.Stop()
	Expect(err).NotTo(HaveOccurred())
	servers = []*replica{link(ctx, stack.Server), link(ctx, second)}
	for _, s := range servers {
		Expect(s.Launch(ctx)).To(Succeed())
		Expect(s.AwaitReady(ctx)).To(Succeed())
	}
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
