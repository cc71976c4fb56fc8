// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cli holds what the command line promises: the built plugin, run as a process,
// on a real API server with admission and the controller.
package cli

import (
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/latchkey-dev/latchkey/test/framework"
	"github.com/latchkey-dev/latchkey/test/framework/specs"
)

var (
	cluster *framework.Cluster
	stack   *framework.Stack
	api     client.Client // the administrator's, without a cache
	plugin  string        // the built plugin
	keep    = true        // the logs
)

func TestCommandLine(t *testing.T) {
	// Who is started by nohup ignores a hangup, and so does all that they start.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	specs.Run(t, "Command line")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	log.SetLogger(GinkgoLogr)
	started, err := framework.Start(ctx, framework.AuditBodies)
	Expect(err).NotTo(HaveOccurred())
	cluster = started
	stack, err = framework.StackOn(ctx, started, "--key-check-interval=300ms", "--reseal-rate=1000")
	Expect(err).NotTo(HaveOccurred())
	api = stack.Client
	plugin = filepath.Join(cluster.Dir, "kubectl-latchkey")
	build := exec.CommandContext(ctx, "go", "-C", filepath.Join(cluster.Root, "cmd", "kubectl-latchkey"), "build", "-race", "-buildvcs=false", "-o", plugin, ".")
	output, err := build.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))
	keep = false
})

var _ = ReportAfterEach(func(report SpecReport) { keep = keep || report.Failed() })

var _ = AfterSuite(func() {
	if cluster == nil {
		return
	}
	problems, err := cluster.Crashes()
	Expect(err).NotTo(HaveOccurred())
	leaks, err := leaks()
	Expect(err).NotTo(HaveOccurred())
	problems = slices.AppendSeq(problems, maps.Keys(leaks))
	keep = keep || len(problems) > 0
	Expect(cluster.Stop(keep)).To(Succeed())
	if keep {
		AddReportEntry("logs are kept", cluster.Dir, ReportEntryVisibilityAlways)
	}
	Expect(problems).To(BeEmpty(), "no process raced or panicked, and no value was said, sent or logged")
})
