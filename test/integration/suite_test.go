// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integration holds what Latchkey promises against a running one: a real API
// server, the real manifests, real processes. One control plane serves all specs;
// each spec has namespaces of its own.
package integration

import (
	"maps"
	"slices"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/test/framework"
	"github.com/latchkey-dev/latchkey/test/framework/specs"
)

var (
	cluster    *framework.Cluster
	api        client.Client // the administrator's, without a cache
	controller *framework.Process
	server     *framework.Process
)

// quickly makes the controller look at its keys often, and re-seal at once.
var quickly = []string{"--key-check-interval=300ms", "--reseal-rate=1000"}

func TestIntegration(t *testing.T) {
	specs.Run(t, "Integration")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	stack, err := framework.StartStack(ctx, quickly...)
	if stack != nil {
		cluster, api, controller, server = stack.Cluster, stack.Client, stack.Controller, stack.Server
	}
	Expect(err).NotTo(HaveOccurred())
	failed = false
})

// failed reports whether the logs are of interest; they are until all is up.
var failed = true

var _ = ReportAfterEach(func(report SpecReport) { failed = failed || report.Failed() })

var _ = AfterSuite(func(ctx SpecContext) {
	if cluster == nil {
		return
	}
	// What every spec must leave true. The processes end whatever is found.
	problems, err := cluster.Crashes()
	Expect(err).NotTo(HaveOccurred())
	if !failed {
		found, err := findCanary(ctx, 0)
		Expect(err).NotTo(HaveOccurred())
		problems = slices.AppendSeq(problems, maps.Keys(found.elsewhere))
	}
	failed = failed || len(problems) > 0
	Expect(cluster.Stop(failed)).To(Succeed())
	if failed {
		AddReportEntry("logs are kept", cluster.Dir, ReportEntryVisibilityAlways)
	}
	Expect(problems).To(BeEmpty(), "no process raced or panicked, and no value got where it must not be")
})
