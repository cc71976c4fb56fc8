// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

var _ = Describe("A tenant's limit", func() {
	// sized returns a UserSecret with a value of a size.
	sized := func(tenant string, i, bytes int, env string) *v1alpha1.UserSecret {
		value := canary + strings.Repeat("a", bytes-len(canary))
		return framework.UserSecret(tenant, fmt.Sprintf("s%02d", i), v1alpha1.UserSecretSpec{
			EnvName: env, Value: v1alpha1.WriteOnlyString(value),
		})
	}

	It("is 50 user secrets", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		for i := range 50 {
			create(ctx, sized(tenant, i, 100, fmt.Sprintf("S%02d", i)))
		}
		// The server counts what its cache shows.
		Eventually(ctx, func() error { return api.Create(ctx, sized(tenant, 50, 100, ""), client.DryRunAll) }).
			Should(MatchError(ContainSubstring("51 secrets exceed the tenant's limit of 50: delete 1")))
		for i := range 50 {
			Eventually(ctx, condition(sized(tenant, i, 100, ""))).Should(Equal("True Projected"))
		}
		modify(ctx, sized(tenant, 7, 100, ""), func(u *v1alpha1.UserSecret) { u.Spec.Value = v1alpha1.WriteOnlyString(canary + "-7") })
		Expect(api.Delete(ctx, sized(tenant, 3, 100, ""))).To(Succeed())
		Eventually(ctx, func() error { return api.Create(ctx, sized(tenant, 50, 100, "")) }).Should(Succeed())
	})

	It("is 24576 bytes in variables, and more in files", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		create(ctx, sized(tenant, 0, 20000, "FIRST"))
		Eventually(ctx, func() error { return api.Create(ctx, sized(tenant, 1, 4577, "SECOND"), client.DryRunAll) }).
			Should(MatchError(ContainSubstring("24577 bytes of values in environment variables exceed the tenant's limit of 24576: shorten them by 1, or project some as files")))
		create(ctx, sized(tenant, 1, 4576, "SECOND"), sized(tenant, 2, 20000, ""))
		Eventually(ctx, condition(userSecret(tenant, "s01"))).Should(Equal("True Projected"))
		u := userSecret(tenant, "s02")
		Eventually(ctx, condition(u)).Should(Equal("True StoredWithoutTarget"))
		u.Spec.EnvName = "THIRD"
		Expect(api.Update(ctx, u)).To(MatchError(ContainSubstring("exceed the tenant's limit of 24576")))
	})

	It("is 204800 bytes of values", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		for i := range 8 {
			create(ctx, sized(tenant, i, 24576, ""))
		}
		create(ctx, sized(tenant, 8, 204800-8*24576, ""))
		Eventually(ctx, func() error { return api.Create(ctx, sized(tenant, 9, 20, ""), client.DryRunAll) }).
			Should(MatchError(ContainSubstring("204820 bytes of values exceed the tenant's limit of 204800: free 20 by shortening or deleting some")))
	})

	It("holds without the webhooks too: what exceeds it is not projected", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		withoutWebhooks(ctx)
		value := canary + strings.Repeat("a", 20000-len(canary))
		for _, name := range []string{"first", "second"} {
			create(ctx, framework.UserSecret(tenant, name, v1alpha1.UserSecretSpec{
				Name: name, EnvName: name, SealedValue: sealFor(ctx, "UserSecret", tenant, name, value),
			}))
		}
		Eventually(ctx, condition(userSecret(tenant, "first"))).Should(Equal("True Projected"))
		Eventually(ctx, condition(userSecret(tenant, "second"))).Should(Equal("False LimitExceeded"))
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(HaveLen(1))
		Expect(api.Delete(ctx, userSecret(tenant, "first"))).To(Succeed())
		Eventually(ctx, condition(userSecret(tenant, "second"))).Should(Equal("True Projected"))
	})
})
