// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// deny makes the API server refuse writes of Secrets of a tenant, and returns once it
// does, with a function that ends it. Where bundle is not empty, only that one's.
func deny(ctx SpecContext, tenant, bundle string, reason metav1.StatusReason, operations ...admissionv1.OperationType) (lift func(SpecContext)) {
	GinkgoHelper()
	if len(operations) == 0 {
		operations = []admissionv1.OperationType{admissionv1.Create, admissionv1.Update}
	}
	expression := "request.name == 'probe'"
	if bundle == "" {
		expression = "true"
	} else {
		expression += " || request.name == '" + bundle + "'"
	}
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "deny-" + tenant},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{Operations: append(operations, admissionv1.Create), Rule: admissionv1.Rule{
					APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"},
				}},
			}}},
			MatchConditions: []admissionv1.MatchCondition{{Name: "operation", Expression: "request.name == 'probe' || request.operation in " + fmt.Sprintf("[%s]", quotedList(operations))}},
			Validations:     []admissionv1.Validation{{Expression: "!(" + expression + ")", Reason: &reason, Message: "refused by the test"}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: tenant}}},
		},
	}
	probe := func() error { return api.Create(ctx, framework.Secret(tenant, "probe", nil), client.DryRunAll) }
	lift = func(ctx SpecContext) {
		GinkgoHelper()
		for _, o := range []client.Object{binding, policy} {
			Expect(client.IgnoreNotFound(api.Delete(ctx, o))).To(Succeed())
		}
		Eventually(ctx, func() error { return api.Create(ctx, framework.Secret(tenant, "probe", nil), client.DryRunAll) }).Should(Succeed())
	}
	DeferCleanup(lift)
	create(ctx, policy, binding)
	Eventually(ctx, probe).ShouldNot(Succeed())
	return lift
}

func quotedList(operations []admissionv1.OperationType) string {
	out := ""
	for i, o := range operations {
		if i > 0 {
			out += ", "
		}
		out += "'" + string(o) + "'"
	}
	return out
}

// bundleKind is one kind of object with its two bundles.
type bundleKind struct {
	env, files string
	make       func(tenant, name string) client.Object
	change     func(ctx SpecContext, o client.Object, value string)
}

func bundleKinds() map[string]bundleKind {
	return map[string]bundleKind{
		"user": {
			env: v1alpha1.BundleUserEnv, files: v1alpha1.BundleUserFiles,
			make: func(tenant, name string) client.Object {
				return framework.UserSecret(tenant, name, v1alpha1.UserSecretSpec{EnvName: "V_" + name, FilePath: "~/" + name, Value: v1alpha1.WriteOnlyString(canary)})
			},
			change: func(ctx SpecContext, o client.Object, value string) {
				modify(ctx, userSecret(o.GetNamespace(), o.GetName()), func(u *v1alpha1.UserSecret) { u.Spec.Value = v1alpha1.WriteOnlyString(value) })
			},
		},
		"agent": {
			env: v1alpha1.BundleAgentEnv, files: v1alpha1.BundleAgentFiles,
			make: func(tenant, name string) client.Object {
				a := framework.AgentSecret(tenant, name, text, quoted(canary), name)
				a.Spec.EnvName = "V_" + name
				return a
			},
			change: func(ctx SpecContext, o client.Object, value string) {
				modify(ctx, agentSecret(o.GetNamespace(), o.GetName()), func(a *v1alpha1.AgentSecret) { a.Spec.Value = v1alpha1.WriteOnlyString(value) })
			},
		},
	}
}

var _ = Describe("A bundle that the API server refuses", func() {
	DescribeTable("is in the status of whom it concerns, and of nobody else, until it heals",
		func(ctx SpecContext, kind string, refuseEnv bool, reason metav1.StatusReason) {
			k, tenant := bundleKinds()[kind], newTenant(ctx)
			same, old, fresh := k.make(tenant, "same"), k.make(tenant, "old"), k.make(tenant, "fresh")
			create(ctx, same, old)
			Eventually(ctx, condition(old)).Should(Equal("True Projected"))
			Eventually(ctx, condition(same)).Should(Equal("True Projected"))
			refused, other := k.files, k.env
			if refuseEnv {
				refused, other = k.env, k.files
			}
			before := data(tenant, refused)
			had, err := before(ctx)
			Expect(err).NotTo(HaveOccurred())

			lift := deny(ctx, tenant, refused, reason)
			k.change(ctx, old, canary+"-new")
			create(ctx, fresh)
			for _, o := range []client.Object{old, fresh} {
				Eventually(ctx, condition(o)).Should(Equal("False BundleRefused"))
				Expect(message(ctx, o)).To(And(ContainSubstring("Secret "+refused+" could not be written: the API server answered "+string(reason)),
					ContainSubstring("by an admission policy"), Not(ContainSubstring("refused by the test"))))
			}
			told := func(ctx context.Context) (int, error) {
				events := 0
				for _, o := range []client.Object{old, fresh} {
					on, err := eventsOn(o)(ctx)
					if err != nil {
						return 0, err
					}
					for _, event := range on {
						if event == "Warning BundleRefused" {
							events++
						}
					}
				}
				return events, nil
			}
			Eventually(ctx, told).Should(Equal(1), "a refused bundle is one event, however many objects wait for it")
			Expect(condition(same)(ctx)).To(Equal("True Projected"), "its value is there")
			Expect(before(ctx)).To(Equal(had))
			Eventually(ctx, data(tenant, other)).Should(ContainElement(canary+"-new"), "the other bundle goes on")

			mark := now()
			Consistently(ctx, func() int {
				return len(requests(ctx, mark, framework.ByController, framework.Writes, framework.In(tenant)))
			}).WithTimeout(3*time.Second).Should(BeNumerically("<=", 3), "it is tried after 1 s, 2 s, 4 s, and so on")
			lift(ctx)
			for _, o := range []client.Object{old, fresh, same} {
				Eventually(ctx, condition(o)).Should(Equal("True Projected"))
			}
			Expect(before(ctx)).To(ContainElement(canary + "-new"))
		},
		Entry("variables of users, 403", "user", true, metav1.StatusReasonForbidden),
		Entry("files of users, 422", "user", false, metav1.StatusReasonInvalid),
		Entry("variables of agents, 422", "agent", true, metav1.StatusReasonInvalid),
		Entry("files of agents, 403", "agent", false, metav1.StatusReasonForbidden),
	)

	It("for a quota is so, and is written when there is room", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "quota"}, Spec: corev1.ResourceQuotaSpec{
			Hard: corev1.ResourceList{"count/secrets": resource.MustParse("0")},
		}}
		create(ctx, quota)
		// There is no quota controller here, which would write this.
		quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: corev1.ResourceList{"count/secrets": resource.MustParse("0")}}
		Expect(api.Status().Update(ctx, quota)).To(Succeed())
		Eventually(ctx, func() error { return api.Create(ctx, framework.Secret(tenant, "probe", nil), client.DryRunAll) }).
			Should(MatchError(ContainSubstring("exceeded quota")))
		objects := []client.Object{bundleKinds()["user"].make(tenant, "u"), bundleKinds()["agent"].make(tenant, "a")}
		create(ctx, objects...)
		for _, o := range objects {
			Eventually(ctx, condition(o)).Should(Equal("False BundleRefused"))
			Expect(message(ctx, o)).To(ContainSubstring("the API server answered Forbidden, by a resource quota"))
		}
		Expect(api.Delete(ctx, quota)).To(Succeed())
		for _, o := range objects {
			Eventually(ctx, condition(o)).Should(Equal("True Projected"))
		}
	})

	It("to let a value go says that the value is still there", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		u, stays := bundleKinds()["user"].make(tenant, "token"), bundleKinds()["user"].make(tenant, "stays")
		create(ctx, u, stays)
		for _, o := range []client.Object{u, stays} {
			Eventually(ctx, condition(o)).Should(Equal("True Projected"))
		}
		lift := deny(ctx, tenant, v1alpha1.BundleUserEnv, metav1.StatusReasonForbidden)
		off := false
		modify(ctx, userSecret(tenant, "token"), func(u *v1alpha1.UserSecret) { u.Spec.Enabled = &off })
		Eventually(ctx, condition(u)).Should(Equal("False BundleRefused"))
		Expect(message(ctx, u)).To(ContainSubstring("the value is still in Secret latchkey-user-env"))
		Expect(condition(stays)(ctx)).To(Equal("True Projected"))
		Expect(data(tenant, v1alpha1.BundleUserFiles)(ctx)).NotTo(HaveKey("token"))
		lift(ctx)
		Eventually(ctx, condition(u)).Should(Equal("True Disabled"))
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(Equal(values{"V_stays": canary}))
	})

	It("to be deleted says so as well", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		a := bundleKinds()["user"].make(tenant, "token")
		create(ctx, a)
		Eventually(ctx, condition(a)).Should(Equal("True Projected"))
		lift := deny(ctx, tenant, v1alpha1.BundleUserEnv, metav1.StatusReasonForbidden, admissionv1.Delete)
		off := false
		modify(ctx, userSecret(tenant, "token"), func(u *v1alpha1.UserSecret) { u.Spec.Enabled = &off })
		Eventually(ctx, condition(a)).Should(Equal("False BundleRefused"))
		lift(ctx)
		Eventually(ctx, condition(a)).Should(Equal("True Disabled"))
	})

	It("is a foreign Secret's fault only if there is one", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		foreign := framework.Secret(tenant, v1alpha1.BundleUserEnv, values{"THEIRS": "theirs"})
		create(ctx, foreign)
		lift := deny(ctx, tenant, "", metav1.StatusReasonForbidden)
		u := framework.UserSecret(tenant, "env", v1alpha1.UserSecretSpec{EnvName: "VAR", Value: v1alpha1.WriteOnlyString(canary)})
		file := framework.UserSecret(tenant, "file", v1alpha1.UserSecretSpec{FilePath: "~/file", Value: v1alpha1.WriteOnlyString(canary)})
		create(ctx, u, file)
		Eventually(ctx, condition(u)).Should(Equal("False BundleBlocked"))
		Eventually(ctx, condition(file)).Should(Equal("False BundleRefused"))
		lift(ctx)
		Eventually(ctx, condition(file)).Should(Equal("True Projected"))
		Expect(condition(u)(ctx)).To(Equal("False BundleBlocked"))
		Expect(api.Delete(ctx, foreign)).To(Succeed())
		Eventually(ctx, condition(u)).Should(Equal("True Projected"))
	})
})
