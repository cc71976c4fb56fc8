// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// Admission refuses these; they get in where it is missing, or in a restored backup.
var _ = Describe("A stored value that does not open", Ordered, ContinueOnFailure, func() {
	var tenant string

	BeforeAll(func(ctx SpecContext) {
		tenant = newTenant(ctx)
		withoutWebhooks(ctx)
		create(ctx, framework.UserSecret(tenant, "fine", v1alpha1.UserSecretSpec{
			Name: "fine", EnvName: "FINE", SealedValue: sealFor(ctx, "UserSecret", tenant, "fine", canary),
		}))
	})

	DescribeTable("is reported and projected nowhere, and its neighbours are projected",
		func(ctx SpecContext, sealed func(context.Context) string, wantCondition, wantMessage string) {
			u := framework.UserSecret(tenant, "bad", v1alpha1.UserSecretSpec{Name: "bad", EnvName: "BAD", SealedValue: sealed(ctx)})
			create(ctx, u)
			Eventually(ctx, condition(u)).Should(Equal(wantCondition))
			Expect(message(ctx, u)).To(And(ContainSubstring(wantMessage), Not(ContainSubstring(canary))))
			Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"FINE": canary}))
			modify(ctx, u, func(u *v1alpha1.UserSecret) {
				u.Spec.SealedValue = sealFor(ctx, "UserSecret", tenant, "bad", canary+"-good")
			})
			Eventually(ctx, condition(u)).Should(Equal("True Projected"))
			Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"FINE": canary, "BAD": canary + "-good"}))
			Expect(api.Delete(ctx, u)).To(Succeed())
			Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"FINE": canary}))
		},
		Entry("since it was sealed for another object",
			func(ctx context.Context) string { return sealFor(ctx, "UserSecret", tenant, "other", canary) },
			"False Unsealable", "sealed for another object or was altered"),
		Entry("since it was sealed for another namespace",
			func(ctx context.Context) string { return sealFor(ctx, "UserSecret", "other", "bad", canary) },
			"False Unsealable", "sealed for another object or was altered"),
		Entry("since it was sealed for another kind",
			func(ctx context.Context) string { return sealFor(ctx, "AgentSecret", tenant, "bad", canary) },
			"False Unsealable", "sealed for another object or was altered"),
		Entry("since it was altered",
			func(ctx context.Context) string { return alter(sealFor(ctx, "UserSecret", tenant, "bad", canary)) },
			"False Unsealable", "sealed for another object or was altered"),
		Entry("since it is cut short",
			func(context.Context) string { return "lk1.0123456789abcdef.AAAA" },
			"False Unsealable", ""),
		Entry("since its key does not exist",
			func(ctx context.Context) string {
				s := sealFor(ctx, "UserSecret", tenant, "bad", canary)
				return "lk1.0123456789abcdef" + s[len("lk1.0123456789abcdef"):]
			},
			"False KeyNotFound", "sealedValue needs sealing key 0123456789abcdef, which does not exist"),
		Entry("with what a variable cannot hold",
			func(ctx context.Context) string { return sealFor(ctx, "UserSecret", tenant, "bad", canary+"\x00") },
			"False NotAVariable", "NUL byte"),
	)

	It("or is of another type than it says is reported", func(ctx SpecContext) {
		a := framework.AgentSecret(tenant, "typed", `{"type":"U8"}`, "", "typed")
		a.Spec.SealedValue = sealAgent(ctx, a, quoted(canary))
		create(ctx, a)
		Eventually(ctx, condition(a)).Should(Equal("False TypeMismatch"))
		Expect(message(ctx, a)).NotTo(ContainSubstring(canary))
		Expect(data(tenant, v1alpha1.BundleAgentEnv)(ctx)).To(BeNil())
	})

	It("for its path is not canonical is reported", func(ctx SpecContext) {
		a := framework.AgentSecret(tenant, "path", text, "", "not_canonical")
		a.Spec.SealedValue = sealAgent(ctx, a, quoted(canary))
		create(ctx, a)
		Eventually(ctx, condition(a)).Should(Equal("False PathNotProjectable"))
	})
})
