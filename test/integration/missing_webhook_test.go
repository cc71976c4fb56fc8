// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
)

var _ = Describe("Without the webhook configuration", Ordered, func() {
	var tenant string

	BeforeAll(func(ctx SpecContext) {
		tenant = newTenant(ctx)
		withoutWebhooks(ctx)
	})

	It("a UserSecret with a value is refused by its definition, which says why", func(ctx SpecContext) {
		for _, flags := range [][]string{nil, {"--server-side"}} {
			err := tryApply(ctx, userManifest(tenant, "token", "envName: TOKEN\nvalue: "+canary), flags...)
			Expect(err).To(MatchError(And(
				ContainSubstring("value must be sealed before it is stored"),
				ContainSubstring("check that the latchkey server runs"),
				Not(ContainSubstring(canary)),
			)))
		}
		u := userSecret(tenant, "token")
		Expect(apierrors.IsNotFound(api.Get(ctx, key(u), u))).To(BeTrue())
	})

	DescribeTable("an AgentSecret with a value is refused by its definition, which says why",
		func(ctx SpecContext, value string) {
			for _, flags := range [][]string{nil, {"--server-side"}} {
				err := tryApply(ctx, agentManifest(tenant, "password",
					"path: [db, password]\nsecretType: {type: Str}\nvalue: "+value), flags...)
				Expect(err).To(MatchError(And(
					ContainSubstring("value must be sealed before it is stored"),
					ContainSubstring("check that the latchkey server runs"),
					Not(ContainSubstring(canary)),
				)))
			}
			a := agentSecret(tenant, "password")
			Expect(apierrors.IsNotFound(api.Get(ctx, key(a), a))).To(BeTrue())
		},
		Entry("a text", canary),
		Entry("an object", "{key: "+canary+"}"),
		Entry("a list", "["+canary+"]"),
		Entry("a number", "7"),
		Entry("a boolean", "false"),
	)

	It("a value can come sealed", func(ctx SpecContext) {
		sealed, err := cluster.Seal(ctx, binding.User(tenant, "offline"), canary)
		Expect(err).NotTo(HaveOccurred())
		apply(ctx, userManifest(tenant, "offline", "name: offline\nenvName: OFFLINE\nsealedValue: "+sealed))
		Eventually(ctx, condition(userSecret(tenant, "offline"))).Should(Equal("True Projected"))
		Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"OFFLINE": canary}))
	})
})

// withoutWebhooks removes the webhook configuration until the end of the spec or, in
// BeforeAll, of the container.
func withoutWebhooks(ctx context.Context) {
	GinkgoHelper()
	DeferCleanup(func(ctx SpecContext) { Expect(cluster.RestoreWebhooks(ctx)).To(Succeed()) })
	Expect(cluster.RemoveWebhooks(ctx)).To(Succeed())
}
