// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

var _ = Describe("A bundle", func() {
	It("is written once for any number of objects", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		// All are there before anybody looks, so that nothing depends on speed.
		whileStopped(ctx, func() {
			for i := range 10 {
				create(ctx, framework.UserSecret(tenant, fmt.Sprint("u", i), v1alpha1.UserSecretSpec{
					EnvName: fmt.Sprint("U", i), FilePath: fmt.Sprint("~/u", i), Value: v1alpha1.WriteOnlyString(canary),
				}), framework.AgentSecret(tenant, fmt.Sprint("a", i), text, quoted(canary), fmt.Sprint("a", i)))
			}
		})
		for i := range 10 {
			Eventually(ctx, condition(userSecret(tenant, fmt.Sprint("u", i)))).Should(Equal("True Projected"))
			Eventually(ctx, condition(agentSecret(tenant, fmt.Sprint("a", i)))).Should(Equal("True Projected"))
		}
		for _, bundle := range []string{v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles, v1alpha1.BundleAgentEnv} {
			Expect(data(tenant, bundle)(ctx)).To(HaveLen(10), bundle)
		}
		Expect(data(tenant, v1alpha1.BundleAgentFiles)(ctx)).To(HaveLen(11), "and one document")
		writes := requests(ctx, 0, framework.ByController, framework.Writes, framework.On("secrets"), framework.In(tenant))
		Expect(writes).To(HaveLen(4), "%v", writes)
	})

	It("is there while something is in it, and no longer", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		u := framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{
			EnvName: "TOKEN", FilePath: "/srv/token", Value: v1alpha1.WriteOnlyString(canary),
		})
		create(ctx, u)
		Eventually(ctx, data(tenant, v1alpha1.BundleUserFiles)).Should(Equal(values{"token": canary}))
		modify(ctx, u, func(u *v1alpha1.UserSecret) { u.Spec.FilePath = "" })
		Eventually(ctx, data(tenant, v1alpha1.BundleUserFiles)).Should(BeNil())
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(Equal(values{"TOKEN": canary}))
		Expect(api.Delete(ctx, u)).To(Succeed())
		Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(BeNil())
	})

	It("leaves out what is disabled, which keeps its name and targets", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		off, on := false, true
		u := framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{
			EnvName: "TOKEN", Enabled: &off, Value: v1alpha1.WriteOnlyString(canary),
		})
		create(ctx, u)
		Eventually(ctx, condition(u)).Should(Equal("True Disabled"))
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(BeNil())
		Eventually(ctx, func() error {
			return api.Create(ctx, framework.UserSecret(tenant, "other", v1alpha1.UserSecretSpec{
				EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString(canary),
			}), client.DryRunAll)
		}).Should(MatchError(ContainSubstring("environment variable already in use")))
		modify(ctx, u, func(u *v1alpha1.UserSecret) { u.Spec.Enabled = &on })
		Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"TOKEN": canary}))
		modify(ctx, u, func(u *v1alpha1.UserSecret) { u.Spec.Enabled = &off })
		Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(BeNil())
	})

	It("leaves out what names no target", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		create(ctx, userSecretWithValue(tenant, "kept"))
		Eventually(ctx, condition(userSecret(tenant, "kept"))).Should(Equal("True StoredWithoutTarget"))
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(BeNil())
	})

	It("leaves out a file that can be none, and says so", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		u := framework.UserSecret(tenant, "dir", v1alpha1.UserSecretSpec{
			EnvName: "DIR", FilePath: "~/dir/", Value: v1alpha1.WriteOnlyString(canary),
		})
		create(ctx, u)
		Eventually(ctx, condition(u)).Should(Equal("False PathNotProjectable"))
		Expect(message(ctx, u)).To(ContainSubstring("path names a directory"))
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(Equal(values{"DIR": canary}), "its variable is there")
		Expect(data(tenant, v1alpha1.BundleUserFiles)(ctx)).To(BeNil())

		below := framework.UserSecret(tenant, "below", v1alpha1.UserSecretSpec{FilePath: "/srv/a/b/c", Value: v1alpha1.WriteOnlyString(canary)})
		create(ctx, framework.UserSecret(tenant, "above", v1alpha1.UserSecretSpec{FilePath: "/srv/a/b", Value: v1alpha1.WriteOnlyString(canary)}))
		Eventually(ctx, condition(userSecret(tenant, "above"))).Should(Equal("True Projected"))
		create(ctx, below)
		Eventually(ctx, condition(below)).Should(Equal("False PathNotProjectable"))
		Expect(message(ctx, below)).To(ContainSubstring("it cannot be a file beside /srv/a/b of above"))
		Expect(data(tenant, v1alpha1.BundleUserFiles)(ctx)).To(Equal(values{"above": canary}))
	})

	It("has readable keys that do not collide, and maps them to paths", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		for name, documented := range map[string]string{"one": "a b", "two": "a_b", "three": "a+b"} {
			create(ctx, framework.UserSecret(tenant, name, v1alpha1.UserSecretSpec{
				Name: documented, FilePath: "~/" + name, Value: v1alpha1.WriteOnlyString(canary + "-" + name),
			}))
		}
		Eventually(ctx, data(tenant, v1alpha1.BundleUserFiles)).Should(HaveLen(3))
		found := map[string]string{}
		for _, name := range []string{"one", "two", "three"} {
			u := userSecret(tenant, name)
			Eventually(ctx, condition(u)).Should(Equal("True Projected"))
			found[u.Status.File.Key] = canary + "-" + name
		}
		Expect(data(tenant, v1alpha1.BundleUserFiles)(ctx)).To(Equal(found))
		Expect(found).To(HaveKey("a_b"))
	})

	It("goes with its namespace, without a fight", func(ctx SpecContext) {
		namespace := framework.Namespace("")
		create(ctx, namespace)
		tenant := namespace.Name
		create(ctx, framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString(canary)}))
		Eventually(ctx, condition(userSecret(tenant, "token"))).Should(Equal("True Projected"))
		Expect(api.Delete(ctx, namespace)).To(Succeed())
		mark := now()
		// What the cluster's own controller does, in the least helpful order.
		Expect(api.Delete(ctx, native(ctx, tenant, v1alpha1.BundleUserEnv))).To(Succeed())
		tries := func() int {
			return len(requests(ctx, mark, framework.ByController, framework.Writes, framework.In(tenant)))
		}
		Eventually(ctx, tries).Should(BeNumerically(">", 0), "it tries to repair")
		Expect(api.Delete(ctx, userSecret(tenant, "token"))).To(Succeed())
		Consistently(ctx, tries).Should(BeNumerically("<=", 2), "once, or once more if it was looking already")
		Expect(objectsOf(ctx, tenant)).To(BeEmpty())
	})
})
