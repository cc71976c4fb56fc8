// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

var _ = Describe("An author who may edit UserSecrets", Ordered, func() {
	var tenant string
	var eve client.Client

	from := func(name, secret, secretKey string) *v1alpha1.UserSecret {
		return framework.UserSecret(tenant, name, v1alpha1.UserSecretSpec{
			EnvName:   "TAKEN",
			ValueFrom: &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: secret, Key: secretKey}},
		})
	}

	BeforeAll(func(ctx SpecContext) {
		tenant = newTenant(ctx)
		var err error
		eve, err = cluster.AsUser("eve")
		Expect(err).NotTo(HaveOccurred())
		for _, role := range []string{"latchkey-view", "latchkey-edit"} {
			create(ctx, &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: role},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
				Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "eve"}},
			})
		}
		create(ctx, framework.Secret(tenant, "theirs", values{"key": canary, "other": canary}),
			framework.Secret(tenant, "hers", values{"key": canary + "-hers"}))
		create(ctx, &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "hers"},
			Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}, ResourceNames: []string{"hers"}}},
		}, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "hers"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "hers"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "eve"}},
		})
	})

	It("cannot take a value from a Secret that they may not get", func(ctx SpecContext) {
		Eventually(ctx, func() error {
			return eve.Create(ctx, userSecretWithValue(tenant, "probe"), client.DryRunAll)
		}).Should(Succeed(), "the roles are in effect")
		Expect(eve.Create(ctx, from("taken", "theirs", "key"))).To(MatchError(ContainSubstring(
			"spec.valueFrom: eve may not get Secret theirs in this namespace, and so cannot use it as a source: ask for that right, or set value instead")))
		Expect(eve.Create(ctx, from("taken", "missing", "key"))).To(MatchError(ContainSubstring("eve may not get Secret missing")),
			"nor learn whether one exists")
	})

	It("can take one from a Secret that they may get, and cannot turn to another", func(ctx SpecContext) {
		u := from("hers", "hers", "key")
		Eventually(ctx, func() error { return eve.Create(ctx, u) }).Should(Succeed())
		Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"TAKEN": canary + "-hers"}))
		Eventually(ctx, condition(u)).Should(Equal("True Projected"))
		u.Spec.ValueFrom.SecretKeyRef.Name = "theirs"
		Expect(eve.Update(ctx, u)).To(MatchError(ContainSubstring("eve may not get Secret theirs")))
		Expect(api.Delete(ctx, u)).To(Succeed())
	})

	It("can change what else there is of one whose source somebody else set, but not the source", func(ctx SpecContext) {
		u := from("admins", "theirs", "key")
		u.Spec.EnvName = "ADMINS" // admission may not know yet that the other specs' are gone
		create(ctx, u)
		u.Spec.Description = "edited by eve"
		Eventually(ctx, func() error { return eve.Patch(ctx, u, client.Merge) }).Should(Succeed())
		u.Spec.ValueFrom.SecretKeyRef.Key = "other"
		Expect(eve.Update(ctx, u)).To(MatchError(ContainSubstring("eve may not get Secret theirs")))
	})
})

func userSecretWithValue(namespace, name string) *v1alpha1.UserSecret {
	return framework.UserSecret(namespace, name, v1alpha1.UserSecretSpec{Value: v1alpha1.WriteOnlyString(canary)})
}
