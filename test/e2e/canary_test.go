// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/test/framework"
)

// canary begins every value that the specs use.
const canary = "hunter2-canary-"

// Looked at when all specs have run, and so after everything that was logged for them.
var _ = AfterSuite(func(ctx SpecContext) {
	if logs == nil {
		return
	}
	found := logs.read()
	Expect(found).NotTo(BeEmpty(), "Latchkey's logs are read")
	for container, text := range found {
		for _, form := range framework.CanaryForms(canary) {
			i := bytes.Index(text, form)
			Expect(i).To(BeNumerically("<", 0), "a value is in the log of %s, at byte %d", container, i)
		}
		for _, sign := range []string{"panic: ", "fatal error: ", "Observed a panic"} {
			Expect(bytes.Contains(text, []byte(sign))).To(BeFalse(), "%s has %q", container, sign)
		}
	}
	Expect(run(ctx, "get", "latchkey,events", "--all-namespaces", "--output", "yaml", "--show-managed-fields")).
		NotTo(ContainSubstring(canary), "values are in no object but native Secrets")
})
