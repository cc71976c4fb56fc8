// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

// report adds a measured time to the report.
func report(what string, took time.Duration) {
	AddReportEntry(what, fmt.Sprintf("%.2f s", took.Seconds()), ReportEntryVisibilityNever)
}

// reportRate adds a measured rate to the report.
func reportRate(what string, perSecond float64) {
	AddReportEntry(what, fmt.Sprintf("%.0f/s", perSecond), ReportEntryVisibilityNever)
}

// The summary, at the end: every spec in a line, with what it measured.
var _ = ReportAfterSuite("summary", func(r Report) {
	fmt.Printf("\n\ne2e: what was looked at\n")
	for _, spec := range r.SpecReports {
		name := spec.FullText()
		if name == "" {
			name = spec.LeafNodeType.String() // before and after the suite
		}
		if name = strings.TrimSpace(name); spec.State.Is(types.SpecStateSkipped) && spec.Failure.Message == "" {
			continue // left out by -ginkgo.focus
		}
		fmt.Printf("e2e: %-8s %5.1f s  %s\n", spec.State, spec.RunTime.Seconds(), name)
		for _, entry := range spec.ReportEntries {
			if entry.Visibility == ReportEntryVisibilityNever {
				fmt.Printf("e2e:                    %s: %s\n", entry.Name, entry.StringRepresentation())
			}
		}
	}
	fmt.Printf("e2e: all of it took %.0f s\n", r.RunTime.Seconds())
	// The failures come last, since the end is what everybody sees.
	for _, spec := range r.SpecReports {
		if spec.Failed() {
			fmt.Printf("e2e: %s %q failed: %s\n", spec.LeafNodeType, spec.FullText(), why(spec))
		}
	}
})

// why says where and why a spec failed. What is left out are the fields of Go values.
func why(spec SpecReport) string {
	lines := strings.SplitAfterN(spec.FailureMessage(), "\n", 16)
	return fmt.Sprintf("%s\n%s", spec.FailureLocation(), strings.Join(lines[:min(len(lines), 15)], ""))
}

// What pods were waiting for when a spec failed.
var _ = JustAfterEach(func(ctx SpecContext) {
	if !CurrentSpecReport().Failed() || api == nil {
		return
	}
	for _, args := range [][]string{
		{"get", "pods", "--all-namespaces", "--output", "wide"},
		{"get", "events", "--all-namespaces", "--field-selector", "type!=Normal"},
	} {
		out, err := kubectl.Run(context.WithoutCancel(ctx), "", args...)
		if err != nil {
			out = err.Error()
		}
		AddReportEntry("kubectl "+args[0]+" "+args[1], out, ReportEntryVisibilityFailureOrVerbose)
	}
})
