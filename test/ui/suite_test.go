// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ui holds what the page of "kubectl latchkey ui" promises: the built plugin on a
// real API server with admission and the controller, in a real browser, which Playwright
// drives. The specs are in TypeScript; this package starts what they need, and looks for
// values in all logs afterwards.
package ui

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/test/framework"
	"github.com/latchkey-dev/latchkey/test/framework/specs"
)

// canary is in every value that a spec types, see stand.ts.
const canary = "canary-7d20b5e1"

// revealed is a value that the page shows, see states.spec.ts.
const revealed = "a value that is to be shown"

func TestPage(t *testing.T) {
	if os.Getenv("CHROMIUM") == "" {
		t.Skip("CHROMIUM names no browser: make ui-test runs these specs")
	}
	specs.Run(t, "The page in a browser")
}

var _ = Describe("The page", func() {
	It("does what it promises in a browser, and no log has a value", func(ctx SpecContext) {
		cluster, err := framework.Start(ctx, framework.AuditBodies)
		Expect(err).NotTo(HaveOccurred())
		keep := true
		DeferCleanup(func() {
			Expect(cluster.Stop(keep)).To(Succeed())
			if keep {
				AddReportEntry("logs are kept", cluster.Dir, ReportEntryVisibilityAlways)
			}
		})
		_, err = framework.StackOn(ctx, cluster, "--key-check-interval=300ms")
		Expect(err).NotTo(HaveOccurred())
		plugin := filepath.Join(cluster.Dir, "kubectl-latchkey")
		// Without the race detector: what client-go logs at -v=9 races with its own connections. The page's own tests have it.
		run(ctx, filepath.Join(cluster.Root, "cmd", "kubectl-latchkey"), nil, "go", "build", "-buildvcs=false", "-o", plugin, ".")
		run(ctx, ".", nil, "npm", "ci", "--ignore-scripts")
		said := filepath.Join(cluster.Dir, "page.log")
		report := filepath.Join(cluster.Dir, "page.report")
		for _, path := range []string{said, report} {
			Expect(os.WriteFile(path, nil, 0o600)).To(Succeed())
		}
		run(ctx, ".", []string{
			"PLUGIN=" + plugin, "KUBECTL=" + cluster.Kubectl.Path(), "KUBECONFIG=" + filepath.Join(cluster.Dir, "admin.kubeconfig"),
			"UI_LOG=" + said, "UI_REPORT=" + report, "HOME=" + cluster.Dir,
		}, "npx", append([]string{"playwright", "test"}, strings.Fields(os.Getenv("SPECS"))...)...)
		text, err := os.ReadFile(report)
		Expect(err).NotTo(HaveOccurred())
		AddReportEntry("the first paint of the page", string(text), ReportEntryVisibilityAlways)

		problems, err := cluster.Crashes()
		Expect(err).NotTo(HaveOccurred())
		Expect(problems).To(BeEmpty())
		text, err = os.ReadFile(said)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(text)).NotTo(ContainSubstring(revealed), "a revealed value is logged")
		for _, path := range []string{said, cluster.Audit.Path()} {
			text, err = os.ReadFile(path)
			Expect(err).NotTo(HaveOccurred())
			Expect(text).NotTo(BeEmpty(), "%s says something", path)
			for _, form := range framework.CanaryForms(canary) {
				Expect(bytes.Contains(text, form)).To(BeFalse(), "a value is in %s", path)
			}
		}
		keep = false
	}, SpecTimeout(8*time.Minute))
})

// run runs a command in a folder, and shows what it says.
func run(ctx context.Context, dir string, env []string, name string, args ...string) {
	GinkgoHelper()
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), env...)
	command.Stdout, command.Stderr = GinkgoWriter, GinkgoWriter
	Expect(command.Run()).To(Succeed(), "%s %v", name, args)
}
