// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package specs runs a suite of specs with the settings that all suites share. It stands
// beside the harness, which commands without specs use too.
package specs

import (
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
)

// Run runs a suite on a control plane of its own, with the patience that a machine
// with other work takes. It ends before go test's own deadline, which would leave the
// processes behind. A spec that fails is not tried again: a retry would hide a race.
func Run(t *testing.T, name string) {
	t.Helper()
	gomega.RegisterFailHandler(ginkgo.Fail)
	gomega.SetDefaultEventuallyTimeout(time.Minute)
	gomega.SetDefaultEventuallyPollingInterval(25 * time.Millisecond)
	gomega.SetDefaultConsistentlyDuration(400 * time.Millisecond)
	gomega.SetDefaultConsistentlyPollingInterval(50 * time.Millisecond)
	gomega.EnforceDefaultTimeoutsWhenUsingContexts()
	suite, reporter := ginkgo.GinkgoConfiguration()
	if deadline, ok := t.Deadline(); ok {
		suite.Timeout = max(time.Until(deadline)-time.Minute, time.Minute)
	}
	ginkgo.RunSpecs(t, name, suite, reporter)
}
