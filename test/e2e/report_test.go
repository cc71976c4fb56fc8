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
	// Last, since the end is what everybody sees: what failed, and what passed only when it was tried again.
	for _, spec := range r.SpecReports {
		said := false
		for _, entry := range spec.ReportEntries {
			if strings.HasPrefix(entry.Name, failedTry) {
				fmt.Printf("e2e: %s of %q: %s\n", entry.Name, spec.FullText(), entry.StringRepresentation())
				said = true
			}
		}
		if spec.Failed() && !said { // before or after the suite, or in a cleanup
			fmt.Printf("e2e: %s failed: %s\n", spec.LeafNodeType, why(spec))
		}
	}
})

// failedTry begins the name of a report entry that says why a try failed.
const failedTry = "failed try "

// why says where and why a spec failed. What is left out are the fields of Go values.
func why(spec SpecReport) string {
	lines := strings.SplitAfterN(spec.FailureMessage(), "\n", 16)
	return fmt.Sprintf("%s\n%s", spec.FailureLocation(), strings.Join(lines[:min(len(lines), 15)], ""))
}

// Why a try failed, which Ginkgo says of the last one only, and what pods waited for.
var _ = JustAfterEach(func(ctx SpecContext) {
	spec := CurrentSpecReport()
	if !spec.Failed() {
		return
	}
	AddReportEntry(fmt.Sprintf("%s%d", failedTry, spec.NumAttempts), why(spec), ReportEntryVisibilityFailureOrVerbose)
	if api == nil {
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
