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

// Everything that a bundle has, the API server bounds: values, keys, annotations, the
// object. Either all fits, or the last object to come says that it does not.
var _ = Describe("What the API server bounds", func() {
	// count returns how many objects have each condition.
	count := func(objects []client.Object) func(SpecContext) (map[string]int, error) {
		return func(ctx SpecContext) (map[string]int, error) {
			out := map[string]int{}
			for _, o := range objects {
				c, err := condition(o)(ctx)
				if err != nil {
					return nil, err
				}
				out[c]++
			}
			return out, nil
		}
	}
	agentsWithFiles := func(tenant string, n int, file string) []client.Object {
		var out []client.Object
		for i := range n {
			a := framework.AgentSecret(tenant, fmt.Sprint("s", i), text, quoted(canary), fmt.Sprint("item", i))
			a.Spec.FilePath = fmt.Sprint(file, i)
			out = append(out, a)
		}
		return out
	}
	usersWithFiles := func(tenant string, n int, file string) []client.Object {
		var out []client.Object
		for i := range n {
			out = append(out, framework.UserSecret(tenant, fmt.Sprint("s", i), v1alpha1.UserSecretSpec{
				FilePath: fmt.Sprint(file, i), EnvName: fmt.Sprint("S", i), Value: v1alpha1.WriteOnlyString(canary),
			}))
		}
		return out
	}

	DescribeTable("is not reached by paths, however long and however JSON escapes them",
		func(ctx SpecContext, objects func(string) []client.Object, bundle string, more int) {
			tenant := newTenant(ctx)
			all := objects(tenant)
			create(ctx, all...)
			for _, o := range all {
				Eventually(ctx, condition(o)).Should(Equal("True Projected"))
			}
			Expect(data(tenant, bundle)(ctx)).To(HaveLen(len(all) + more))
			Expect(api.Delete(ctx, native(ctx, tenant, bundle))).To(Succeed())
			Eventually(ctx, data(tenant, bundle)).Should(HaveLen(len(all)+more), "the whole bundle is made again")
			switch last := all[len(all)-1].(type) {
			case *v1alpha1.AgentSecret:
				modify(ctx, last, func(a *v1alpha1.AgentSecret) { a.Spec.Value = v1alpha1.WriteOnlyString(canary + "-changed") })
			case *v1alpha1.UserSecret:
				modify(ctx, last, func(u *v1alpha1.UserSecret) { u.Spec.Value = v1alpha1.WriteOnlyString(canary + "-changed") })
			}
			Eventually(ctx, data(tenant, bundle)).Should(ContainElement(canary+"-changed"), "a change gets through")
		},
		Entry("230 files of agents of 1,000 characters",
			func(tenant string) []client.Object {
				return agentsWithFiles(tenant, 230, strings.Repeat(strings.Repeat("d", 85)+"/", 11)+"f")
			},
			v1alpha1.BundleAgentFiles, 1),
		Entry("500 files of agents whose keys are the longest",
			func(tenant string) []client.Object { return agentsWithFiles(tenant, 500, strings.Repeat("k", 250)) },
			v1alpha1.BundleAgentFiles, 1),
		Entry("48 files of users whose paths JSON escapes in six bytes",
			func(tenant string) []client.Object {
				return usersWithFiles(tenant, 48, "~/"+strings.Repeat(strings.Repeat("&", 250)+"/", 4)+"f")
			},
			v1alpha1.BundleUserFiles, 0),
		Entry("48 files of users in four-byte characters",
			func(tenant string) []client.Object {
				return usersWithFiles(tenant, 48, "~/"+strings.Repeat(strings.Repeat("🔑", 60)+"/", 4)+"f")
			},
			v1alpha1.BundleUserFiles, 0),
	)

	It("is refused to the last secret at admission, as it will be encoded", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		value := func(i int) string { return quoted(fmt.Sprint(i) + strings.Repeat(`\u0001`, 10000)) }
		for i := range 8 {
			create(ctx, framework.AgentSecret(tenant, fmt.Sprint("s", i), text, value(i), fmt.Sprint("item", i)))
		}
		ninth := framework.AgentSecret(tenant, "s8", text, value(8), "item8")
		Eventually(ctx, func() error { return api.Create(ctx, ninth.DeepCopy(), client.DryRunAll) }).
			Should(MatchError(ContainSubstring("the Secret of the tenant's files would take 10808")))
		for i := range 8 {
			Eventually(ctx, condition(agentSecret(tenant, fmt.Sprint("s", i)))).Should(Equal("True Projected"))
		}
		Expect(data(tenant, v1alpha1.BundleAgentFiles)(ctx)).To(HaveKeyWithValue("item7", "7"+strings.Repeat("\x01", 10000)))
		Expect(api.Delete(ctx, agentSecret(tenant, "s3"))).To(Succeed())
		Eventually(ctx, func() error { return api.Create(ctx, ninth.DeepCopy()) }).Should(Succeed())
	})

	It("is told to the last secrets alone where admission was not asked", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		withoutWebhooks(ctx)
		var all []client.Object
		for i := range 10 {
			name := fmt.Sprint("s", i)
			a := framework.AgentSecret(tenant, name, text, "", fmt.Sprint("item", i))
			a.Spec.SealedValue = sealAgent(ctx, a, quoted(strings.Repeat(`\u0001`, 10000)))
			create(ctx, a)
			all = append(all, a)
		}
		Eventually(ctx, count(all[:8])).Should(Equal(map[string]int{"True Projected": 8}))
		Eventually(ctx, count(all[8:])).Should(Equal(map[string]int{"False LimitExceeded": 2}))
		Expect(data(tenant, v1alpha1.BundleAgentEnv)(ctx)).To(HaveLen(8))
		Expect(controller.Restart(ctx, quickly...)).To(Succeed())
		Consistently(ctx, count(all[:8])).Should(Equal(map[string]int{"True Projected": 8}))
		Expect(api.Delete(ctx, all[2])).To(Succeed())
		Eventually(ctx, condition(all[8])).Should(Equal("True Projected"))
		Eventually(ctx, condition(all[9])).Should(Equal("False LimitExceeded"))
	})

	It("is told to the last secrets alone where sizes are those of sources", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		source := framework.Secret(tenant, "source", values{"key": strings.Repeat("x", 24500)})
		create(ctx, source)
		var all []client.Object
		for i := range 45 {
			u := framework.UserSecret(tenant, fmt.Sprint("s", i), v1alpha1.UserSecretSpec{
				EnvName: fmt.Sprint("S", i), FilePath: fmt.Sprint("~/s", i),
				ValueFrom: &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "source", Key: "key"}},
			})
			create(ctx, u)
			all = append(all, u)
		}
		const room = 40 // of 24,500 bytes in 983,040
		Eventually(ctx, count(all[:room])).Should(Equal(map[string]int{"True Projected": room}))
		Eventually(ctx, count(all[room:])).Should(Equal(map[string]int{"False LimitExceeded": len(all) - room}))
		Expect(message(ctx, all[room])).To(ContainSubstring("Secret latchkey-user-env is full"))
		for _, bundle := range []string{v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles} {
			Expect(data(tenant, bundle)(ctx)).To(HaveLen(room))
		}
	})
})
