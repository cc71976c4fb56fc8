// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

var _ = Describe("When a value changed", Ordered, func() {
	var tenant string

	changed := func(obj client.Object) func(context.Context) (time.Time, error) {
		return func(ctx context.Context) (time.Time, error) {
			if err := api.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
				return time.Time{}, err
			}
			var st v1alpha1.SecretStatus
			switch o := obj.(type) {
			case *v1alpha1.UserSecret:
				st = o.Status
			case *v1alpha1.AgentSecret:
				st = o.Status
			}
			if st.Value == nil || st.Value.ChangedAt == nil {
				return time.Time{}, nil
			}
			return st.Value.ChangedAt.Time, nil
		}
	}

	BeforeAll(func(ctx SpecContext) {
		tenant = newTenant(ctx)
		create(ctx, framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{
			EnvName: "TOKEN", FilePath: "~/token", Value: v1alpha1.WriteOnlyString(canary),
		}), framework.AgentSecret(tenant, "agent", text, quoted(canary), "agent"))
		settled(ctx, tenant)
	})

	DescribeTable("is in the status, and stays until it is another value",
		func(ctx SpecContext, obj client.Object, bundle string, set func(context.Context, client.Object, string)) {
			obj.SetNamespace(tenant)
			first, err := changed(obj)(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(first).To(BeTemporally("~", time.Now(), time.Minute))

			set(ctx, obj, canary) // the same
			whileStopped(ctx, func() {})
			modify(ctx, native(ctx, tenant, bundle), func(s *corev1.Secret) { s.Data["drifted"] = []byte("x") })
			Eventually(ctx, data(tenant, bundle)).ShouldNot(HaveKey("drifted"))
			Consistently(ctx, changed(obj)).WithTimeout(time.Second).Should(BeTemporally("==", first))

			before := time.Now()
			set(ctx, obj, canary+"-2")
			Eventually(ctx, changed(obj)).Should(BeTemporally(">", before))
			Expect(native(ctx, tenant, bundle).Data).To(ContainElement(BeEquivalentTo(canary + "-2")))
		},
		Entry("of a user", userSecret("", "token"), v1alpha1.BundleUserEnv, func(ctx context.Context, o client.Object, v string) {
			u, _ := o.(*v1alpha1.UserSecret)
			modify(ctx, u, func(u *v1alpha1.UserSecret) { u.Spec.Value = v1alpha1.WriteOnlyString(v) })
		}),
		Entry("of an agent", agentSecret("", "agent"), v1alpha1.BundleAgentEnv, func(ctx context.Context, o client.Object, v string) {
			a, _ := o.(*v1alpha1.AgentSecret)
			modify(ctx, a, func(a *v1alpha1.AgentSecret) { a.Spec.Value = v1alpha1.NewWriteOnly([]byte(quoted(v))) })
		}),
	)
})
