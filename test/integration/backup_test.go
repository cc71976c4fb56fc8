// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// The drill of docs/backup.md, with its commands.
var _ = Describe("A backup", Ordered, func() {
	const system = framework.SystemNamespace
	var tenant, keys, objects string
	bundles := func(ctx context.Context) map[string]values {
		GinkgoHelper()
		all := map[string]values{}
		for _, name := range []string{v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles, v1alpha1.BundleAgentEnv, v1alpha1.BundleAgentFiles} {
			found, err := data(tenant, name)(ctx)
			Expect(err).NotTo(HaveOccurred())
			all[name] = found
		}
		return all
	}
	var before map[string]values

	BeforeAll(func(ctx SpecContext) {
		tenant = newTenant(ctx)
		create(ctx,
			framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", FilePath: "~/token", Value: v1alpha1.WriteOnlyString(canary)}),
			framework.AgentSecret(tenant, "password", text, quoted(canary), "db_x", "password"),
			framework.AgentSecret(tenant, "ports", `{"type":"List","inner":{"type":"U16"}}`, `[80,443]`, "ports"))
		settled(ctx, tenant)
		before = bundles(ctx)
		keys = run(ctx, "get", "secret", "--namespace", system, "--selector", "latchkey.dev/sealing-key=true", "--output", "yaml")
		objects = run(ctx, "get", "usersecrets,agentsecrets", "--namespace", tenant, "--output", "yaml")
		Expect(objects).NotTo(ContainSubstring(canary))
	})

	It("is not needed for what runs: without any key, what is projected stays", func(ctx SpecContext) {
		mac := native(ctx, tenant, v1alpha1.BundleUserEnv).Annotations[v1alpha1.AnnotationMAC]
		whileStopped(ctx, func() {
			Expect(api.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(system), client.HasLabels{keyring.LabelSealingKey})).To(Succeed())
			Expect(api.Delete(ctx, native(ctx, system, "latchkey-digest-key"))).To(Succeed())
		})
		for _, o := range objectsOf(ctx, tenant) {
			if sealedValueOf(o) != "" {
				Eventually(ctx, condition(o)).Should(Equal("False KeyNotFound"))
				Expect(message(ctx, o)).To(HaveSuffix("; the value that the bundle has stays in it"))
			}
		}
		Expect(bundles(ctx)).To(Equal(before))
		Expect(native(ctx, tenant, v1alpha1.BundleUserEnv).Annotations[v1alpha1.AnnotationMAC]).NotTo(Equal(mac), "only the digest is another")
		By("setting a value again from what the bundle holds")
		_, err := cluster.Kubectl.Run(ctx, "", "patch", "usec", "token", "--namespace", tenant, "--type=merge",
			"--patch", `{"spec":{"value":`+quoted(before[v1alpha1.BundleUserEnv]["TOKEN"])+`}}`)
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, condition(userSecret(tenant, "token"))).Should(Equal("True Projected"))
		Expect(bundles(ctx)).To(Equal(before))
		create(ctx, framework.UserSecret(tenant, "new", v1alpha1.UserSecretSpec{EnvName: "NEW", Value: v1alpha1.WriteOnlyString(canary)}))
		Eventually(ctx, condition(userSecret(tenant, "new"))).Should(Equal("True Projected"), "there is a key for what is new")
		Expect(api.Delete(ctx, userSecret(tenant, "new"))).To(Succeed())
	})

	It("of the objects alone is refused", func(ctx SpecContext) {
		for _, o := range objectsOf(ctx, tenant) {
			if _, bundle := o.(*corev1.Secret); !bundle {
				Expect(api.Delete(ctx, o)).To(Succeed())
			}
		}
		Eventually(ctx, bundles).WithArguments(ctx).Should(HaveEach(BeNil()))
		_, err := cluster.Kubectl.Run(ctx, objects, "create", "-f", "-")
		Expect(err).To(MatchError(ContainSubstring("its sealing key does not exist here")))
	})

	It("of keys and objects brings everything back, and running on", func(ctx SpecContext) {
		_, err := cluster.Kubectl.Run(ctx, keys, "create", "-f", "-")
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func(ctx context.Context) error { // the server learns of the keys by a watch
			_, err := cluster.Kubectl.Run(ctx, objects, "create", "--dry-run=server", "-f", "-")
			return err
		}).Should(Succeed())
		_, err = cluster.Kubectl.Run(ctx, objects, "create", "-f", "-")
		Expect(err).NotTo(HaveOccurred())
		settled(ctx, tenant)
		Expect(bundles(ctx)).To(Equal(before))
		newest := newestKey(ctx)
		Eventually(ctx, func(g Gomega) {
			for _, o := range objectsOf(ctx, tenant) {
				if sealed := sealedValueOf(o); sealed != "" {
					g.Expect(sealed).To(HavePrefix("lk1."+newest+"."), "%s is sealed with the key of the new installation", o.GetName())
				}
			}
		}).Should(Succeed())
		all := &corev1.SecretList{}
		Expect(api.List(ctx, all, client.InNamespace(system), client.HasLabels{keyring.LabelSealingKey})).To(Succeed())
		Expect(all.Items).To(HaveEach(HaveField("Annotations", Not(HaveKey(corev1.LastAppliedConfigAnnotation)))), "no private key lies in an annotation")
	})
})
