// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

var _ = Describe("The service account", func() {
	forbidden := WithTransform(apierrors.IsForbidden, BeTrue())

	It("of the server can touch no Secret of a tenant", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		mine := framework.Secret(tenant, "mine", values{"key": canary})
		create(ctx, mine)
		as, err := cluster.AsCommand(ctx, "server")
		Expect(err).NotTo(HaveOccurred())
		Expect(as.Get(ctx, key(mine), &corev1.Secret{})).To(forbidden)
		Expect(as.List(ctx, &corev1.SecretList{}, client.InNamespace(tenant))).To(forbidden)
		Expect(as.List(ctx, &corev1.SecretList{})).To(forbidden)
		Expect(as.Create(ctx, framework.Secret(tenant, "new", nil))).To(forbidden)
		Expect(as.Update(ctx, mine)).To(forbidden)
		Expect(as.Patch(ctx, mine, client.RawPatch("application/merge-patch+json", []byte(`{"data":null}`)))).To(forbidden)
		Expect(as.Delete(ctx, mine)).To(forbidden)
		Expect(as.List(ctx, &corev1.SecretList{}, client.InNamespace(framework.SystemNamespace))).To(Succeed(), "but it reads the keys")
		Expect(as.Create(ctx, framework.Secret(framework.SystemNamespace, "new", nil))).To(forbidden)
	})

	It("of the server cannot raise its rights", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		as, err := cluster.AsCommand(ctx, "server")
		Expect(err).NotTo(HaveOccurred())
		Expect(as.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "more"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		})).To(forbidden)
		u := userSecretWithValue(tenant, "token")
		create(ctx, u)
		u.Status.ObservedGeneration = 7
		Expect(as.Status().Update(ctx, u)).To(forbidden, "nor speak for the controller")
	})

	It("of the controller can make no object of a user's", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		as, err := cluster.AsCommand(ctx, "controller")
		Expect(err).NotTo(HaveOccurred())
		Expect(as.Create(ctx, userSecretWithValue(tenant, "token"))).To(forbidden)
		a := framework.AgentSecret(tenant, "a", text, quoted(canary), "a")
		create(ctx, a)
		Expect(as.Delete(ctx, a)).To(forbidden)
		Expect(as.Create(ctx, framework.Namespace(""))).To(forbidden)
		Expect(as.List(ctx, &corev1.ConfigMapList{}, client.InNamespace(tenant))).To(forbidden)
	})

	It("of anybody may read the public keys, and no private one", func(ctx SpecContext) {
		eve, err := cluster.AsUser("eve")
		Expect(err).NotTo(HaveOccurred())
		published := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: framework.SystemNamespace, Name: "latchkey-public-keys"}}
		Expect(eve.Get(ctx, key(published), published)).To(Succeed())
		Expect(eve.List(ctx, &corev1.SecretList{}, client.InNamespace(framework.SystemNamespace))).To(forbidden)
		Expect(eve.List(ctx, &v1alpha1.UserSecretList{})).To(forbidden)
	})
})
