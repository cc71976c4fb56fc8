// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// rewrite makes the API server change Secrets of a tenant on their way, and returns
// once it does, with a function that ends it.
func rewrite(ctx SpecContext, tenant, bundle, patch string) (lift func(SpecContext)) {
	GinkgoHelper()
	policy := &admissionv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "rewrite-" + tenant},
		Spec: admissionv1.MutatingAdmissionPolicySpec{
			ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}},
				},
			}}},
			MatchConditions: []admissionv1.MatchCondition{{Name: "name", Expression: "request.name in ['probe', '" + bundle + "'] && has(object.data) && 'TOKEN' in object.data"}},
			Mutations:       []admissionv1.Mutation{{PatchType: admissionv1.PatchTypeJSONPatch, JSONPatch: &admissionv1.JSONPatch{Expression: patch}}},
		},
	}
	binding := &admissionv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: policy.Name, MatchResources: &admissionv1.MatchResources{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: tenant}},
		}},
	}
	changed := func() (bool, error) {
		probe := framework.Secret(tenant, "probe", values{"TOKEN": canary})
		err := api.Create(ctx, probe, client.DryRunAll)
		return len(probe.Data) != 1 || string(probe.Data["TOKEN"]) != canary, err
	}
	lift = func(ctx SpecContext) {
		GinkgoHelper()
		for _, o := range []client.Object{binding, policy} {
			Expect(client.IgnoreNotFound(api.Delete(ctx, o))).To(Succeed())
		}
		Eventually(ctx, func() (bool, error) {
			probe := framework.Secret(tenant, "probe", values{"TOKEN": canary})
			err := api.Create(ctx, probe, client.DryRunAll)
			return string(probe.Data["TOKEN"]) == canary, err
		}).Should(BeTrue())
	}
	DeferCleanup(lift)
	create(ctx, policy, binding)
	Eventually(ctx, changed).Should(BeTrue())
	return lift
}

var _ = Describe("A bundle that something changes on its way", func() {
	DescribeTable("is said to be, is no loop, and heals",
		func(ctx SpecContext, patch, want string) {
			tenant := newTenant(ctx)
			lift := rewrite(ctx, tenant, v1alpha1.BundleUserEnv, patch)
			u := framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString(canary)})
			other := framework.UserSecret(tenant, "other", v1alpha1.UserSecretSpec{FilePath: "~/other", Value: v1alpha1.WriteOnlyString(canary)})
			create(ctx, u, other)
			Eventually(ctx, condition(other)).Should(Equal("True Projected"))
			Eventually(ctx, condition(u)).Should(Equal(want))
			if want == "False BundleRefused" {
				Expect(message(ctx, u)).To(ContainSubstring("something in the cluster, such as a mutating policy, changes it on its way"))
			}
			mark := now()
			Consistently(ctx, func() int {
				return len(requests(ctx, mark, framework.ByController, framework.Writes, framework.In(tenant)))
			}).WithTimeout(3 * time.Second).Should(BeNumerically("<=", 6))
			lift(ctx)
			Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"TOKEN": canary}))
			Eventually(ctx, condition(u)).Should(Equal("True Projected"))
		},
		Entry("a value, which is then not there", `[JSONPatch{op: "replace", path: "/data/TOKEN", value: "eA=="}]`, "False BundleRefused"),
		Entry("a value that is taken out", `[JSONPatch{op: "remove", path: "/data/TOKEN"}]`, "False BundleRefused"),
		Entry("a key that is put in, beside a value that is there", `[JSONPatch{op: "add", path: "/data/NEW", value: "eA=="}]`, "True Projected"),
	)
})
