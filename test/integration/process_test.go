// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os/exec"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/test/framework"
)

var _ = Describe("The process", func() {
	DescribeTable("refuses a bad flag before it starts, and names it",
		func(ctx SpecContext, command, flag string) {
			name, _, _ := strings.Cut(flag, "=")
			out, err := exec.CommandContext(ctx, cluster.Binary(), command, flag, "--kubeconfig=/does/not/exist").CombinedOutput()
			Expect(err).To(HaveOccurred())
			Expect(string(out)).To(And(HavePrefix("latchkey: "), ContainSubstring(name)))
			Expect(strings.Count(string(out), "\n")).To(Equal(1), "one line and no usage: %s", out)
		},
		Entry("an unknown one", "controller", "--unknown=1"),
		Entry("a namespace that is none", "controller", "--namespace=A_B"),
		Entry("a negative verbosity", "server", "--v=-1"),
		Entry("an unknown log format", "server", "--log-format=xml"),
		Entry("no workers", "controller", "--workers=0"),
		Entry("a negative rotation", "controller", "--key-rotation=-1s"),
		Entry("a duration that is none", "controller", "--key-rotation=soon"),
		Entry("a negative retention", "controller", "--key-retention=-1s"),
		Entry("a rate of none", "controller", "--reseal-rate=0"),
		Entry("no interval", "controller", "--key-check-interval=0s"),
		Entry("a limit of none", "server", "--user-max-secrets=0"),
		Entry("a limit above what fits", "server", "--agent-max-value-bytes=65537"),
		Entry("an address that is none", "server", "--webhook-bind-address=here"),
		Entry("an address that is none for REST", "server", "--secure-bind-address=here"),
		Entry("an address that is none for metrics", "server", "--metrics-bind-address=here"),
		Entry("an address that is none for health", "controller", "--health-probe-bind-address=here"),
	)

	It("says which kubeconfig it cannot read", func(ctx SpecContext) {
		out, err := exec.CommandContext(ctx, cluster.Binary(), "server", "--kubeconfig=/does/not/exist").CombinedOutput()
		Expect(err).To(HaveOccurred())
		Expect(string(out)).To(And(ContainSubstring("/does/not/exist"), ContainSubstring("set --kubeconfig")))
	})

	It("tells its flags", func(ctx SpecContext) {
		for command, flag := range map[string]string{"controller": "--key-rotation", "server": "--webhook-bind-address"} {
			out, err := exec.CommandContext(ctx, cluster.Binary(), command, "--help").CombinedOutput()
			Expect(err).NotTo(HaveOccurred())
			Expect(string(out)).To(ContainSubstring(flag))
		}
	})

	It("ends with code 0 when it is asked to", func(ctx SpecContext) {
		for _, p := range []*framework.Process{controller, server} {
			Expect(p.Live(ctx)).To(Succeed())
			code, err := p.Stop()
			Expect(err).NotTo(HaveOccurred())
			Expect(code).To(BeZero(), p.Name())
		}
		Expect(controller.Start(ctx, quickly...)).To(Succeed())
		Expect(server.Start(ctx)).To(Succeed())
		Expect(cluster.AwaitAdmission(ctx)).To(Succeed())
	})

	It("is replaced by another controller when it dies while it leads", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		second, err := cluster.Controller("controller-2", quickly...)
		Expect(err).NotTo(HaveOccurred())
		Expect(second.Start(ctx)).To(Succeed(), "one that does not lead is ready too")
		DeferCleanup(func(ctx SpecContext) {
			_, err := second.Stop()
			Expect(err).NotTo(HaveOccurred())
			Expect(controller.Start(ctx, quickly...)).To(Succeed())
		})
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: framework.SystemNamespace, Name: "latchkey-controller"}}
		Expect(api.Get(ctx, key(lease), lease)).To(Succeed())
		leader := *lease.Spec.HolderIdentity
		Expect(controller.Kill()).To(Succeed())
		create(ctx, userSecretWithValue(tenant, "token"))
		// Nobody may lead before the Lease of the dead one has run out; here it does at once.
		modify(ctx, lease, func(l *coordinationv1.Lease) {
			second := int32(1)
			l.Spec.LeaseDurationSeconds = &second
		})
		Eventually(ctx, condition(userSecret(tenant, "token"))).Should(Equal("True StoredWithoutTarget"))
		Expect(api.Get(ctx, key(lease), lease)).To(Succeed())
		Expect(*lease.Spec.HolderIdentity).NotTo(Equal(leader))
	})
})
