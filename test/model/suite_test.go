// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/test/framework"
	"github.com/latchkey-dev/latchkey/test/framework/specs"
)

// usual is for how long runs are played, unless DURATION says otherwise.
const usual = 25 * time.Second

func TestModel(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	specs.Run(t, "Model")
}

var _ = Describe("Whatever happens to tenants while their controller dies between any two requests", func() {
	It("ends as the model says", func(ctx SpecContext) {
		stack, err := framework.StartStack(ctx)
		if stack != nil {
			DeferCleanup(func() { Expect(stack.Stop(CurrentSpecReport().Failed())).To(Succeed()) })
		}
		Expect(err).NotTo(HaveOccurred())
		_, err = stack.Controller.Stop() // it has made keys and certificates; others take its place
		Expect(err).NotTo(HaveOccurred())
		as, err := stack.ControllerConfig()
		Expect(err).NotTo(HaveOccurred())
		store := &keyring.Store{Reader: stack.Client, Writer: stack.Client, Namespace: framework.SystemNamespace}
		key, err := store.EnsureDigestKey(ctx)
		Expect(err).NotTo(HaveOccurred())

		seed, once := uint64(time.Now().UnixNano()), false
		if text := os.Getenv("SEED"); text != "" {
			seed, err = strconv.ParseUint(text, 10, 64)
			Expect(err).NotTo(HaveOccurred())
			once = true
		}
		long := usual
		if text := os.Getenv("DURATION"); text != "" {
			long, err = time.ParseDuration(text)
			Expect(err).NotTo(HaveOccurred())
		}
		runs := 0
		for began := time.Now(); runs == 0 || !once && time.Since(began) < long; runs++ {
			play(ctx, stack, as, key, seed)
			seed++
		}
		AddReportEntry("runs", ReportEntryVisibilityAlways, fmt.Sprintf("%d, the last with SEED=%d", runs, seed-1))
	})
})

func play(ctx SpecContext, stack *framework.Stack, as *rest.Config, key digest.Key, seed uint64) {
	GinkgoHelper()
	r, err := newRun(ctx, stack, as, key, seed)
	Expect(err).NotTo(HaveOccurred())
	Expect(r.play(ctx)).To(Succeed(), "repeat it with SEED=%d", seed)
}
