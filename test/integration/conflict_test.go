// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// Admission refuses what would collide; without it, or where two creations race, the
// controllers decide.
var _ = Describe("Of two objects that claim the same", Ordered, func() {
	var tenant string

	BeforeAll(func(ctx SpecContext) {
		tenant = newTenant(ctx)
		withoutWebhooks(ctx)
	})

	claiming := func(ctx context.Context, name, documented, env, file string) *v1alpha1.UserSecret {
		return framework.UserSecret(tenant, name, v1alpha1.UserSecretSpec{
			Name: documented, EnvName: env, FilePath: file, SealedValue: sealFor(ctx, "UserSecret", tenant, name, canary+"-"+name),
		})
	}

	DescribeTable("the earlier wins, whatever their names are, and the later takes over when it goes",
		func(ctx SpecContext, first, second func(context.Context) *v1alpha1.UserSecret, bundle, landed string, wantMessage string) {
			winner, loser := first(ctx), second(ctx)
			create(ctx, winner)
			create(ctx, loser)
			Eventually(ctx, condition(winner)).Should(Equal("True Projected"))
			Eventually(ctx, condition(loser)).Should(Equal("False Conflict"))
			Expect(message(ctx, loser)).To(Equal(wantMessage))
			Expect(loser.Status.Env).To(BeNil())
			Expect(data(tenant, bundle)(ctx)).To(Equal(values{landed: canary + "-" + winner.Name}))
			Eventually(ctx, eventsOn(loser)).Should(Equal([]string{"Warning Conflict"}))

			// Neither a later version of the winner nor a controller that has forgotten
			// everything changes that.
			modify(ctx, winner, func(u *v1alpha1.UserSecret) { u.Spec.Description = "later than the other" })
			Eventually(ctx, condition(winner)).Should(Equal("True Projected"))
			Expect(controller.Restart(ctx, quickly...)).To(Succeed())
			modify(ctx, loser, func(u *v1alpha1.UserSecret) { u.Spec.Description = "looked at again" })
			Eventually(ctx, condition(loser)).Should(Equal("False Conflict"))

			Expect(api.Delete(ctx, winner)).To(Succeed())
			Eventually(ctx, condition(loser)).Should(Equal("True Projected"))
			Eventually(ctx, data(tenant, bundle)).Should(HaveKeyWithValue(HaveLen(len(landed)), canary+"-"+loser.Name))
			Eventually(ctx, eventsOn(loser)).Should(ConsistOf("Warning Conflict", "Normal Projected"))
			Expect(eventsOn(winner)(ctx)).To(BeEmpty(), "that all is well is no news")
			Expect(api.Delete(ctx, loser)).To(Succeed())
			Eventually(ctx, data(tenant, bundle)).Should(BeNil())
		},
		Entry("a variable",
			func(ctx context.Context) *v1alpha1.UserSecret { return claiming(ctx, "z-env", "z-env", "SHARED", "") },
			func(ctx context.Context) *v1alpha1.UserSecret { return claiming(ctx, "a-env", "a-env", "SHARED", "") },
			v1alpha1.BundleUserEnv, "SHARED",
			`environment variable "SHARED" is held by z-env: choose another, or delete one of the two`),
		Entry("a file",
			func(ctx context.Context) *v1alpha1.UserSecret {
				return claiming(ctx, "z-file", "z-file", "", "~/shared")
			},
			func(ctx context.Context) *v1alpha1.UserSecret {
				return claiming(ctx, "a-file", "a-file", "", "~/shared")
			},
			v1alpha1.BundleUserFiles, "z-file",
			`file path "~/shared" is held by z-file: choose another, or delete one of the two`),
		Entry("a name",
			func(ctx context.Context) *v1alpha1.UserSecret { return claiming(ctx, "a-name", "shared", "FIRST", "") },
			func(ctx context.Context) *v1alpha1.UserSecret { return claiming(ctx, "z-name", "shared", "OTHER", "") },
			v1alpha1.BundleUserEnv, "FIRST",
			`name "shared" is held by a-name: choose another, or delete one of the two`),
	)

	It("and are agent secrets, the earlier wins too", func(ctx SpecContext) {
		for _, name := range []string{"second", "first"} {
			a := framework.AgentSecret(tenant, name, text, "", "shared")
			a.Spec.SealedValue = sealAgent(ctx, a, quoted(canary+"-"+name))
			create(ctx, a)
		}
		Eventually(ctx, condition(agentSecret(tenant, "second"))).Should(Equal("True Projected"))
		Eventually(ctx, condition(agentSecret(tenant, "first"))).Should(Equal("False Conflict"))
		Expect(data(tenant, v1alpha1.BundleAgentEnv)(ctx)).To(Equal(values{"SHARED": canary + "-second"}))
		Expect(api.Delete(ctx, agentSecret(tenant, "second"))).To(Succeed())
		Eventually(ctx, data(tenant, v1alpha1.BundleAgentEnv)).Should(Equal(values{"SHARED": canary + "-first"}))
	})
})

// eventsOn returns the types and reasons of the events that regard an object.
func eventsOn(obj client.Object) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		all := &eventsv1.EventList{}
		if err := api.List(ctx, all, client.InNamespace(obj.GetNamespace())); err != nil {
			return nil, err
		}
		var found []string
		for i := range all.Items {
			if e := &all.Items[i]; e.Regarding.Name == obj.GetName() {
				found = append(found, e.Type+" "+e.Reason)
			}
		}
		return found, nil
	}
}
