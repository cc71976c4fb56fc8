// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/keyring"
)

var _ = Describe("A sealing key", func() {
	It("can be rotated and deleted, and Latchkey restarted, and pods have their values", func(ctx SpecContext) {
		user := newUser(ctx, "keys")
		userSecret(ctx, user.Namespace, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", FilePath: "~/token", Value: value("token")})
		before := newPod(ctx, user.Namespace, "before", newSpec(), nil)
		awaitPod(ctx, before)
		declared := newDeclaration(user.Namespace)
		declared.apply(ctx, "as it is new", "install")
		old := keys(ctx)

		By("making the newest key older than a key may become")
		restore := withArguments(ctx, controllerName, "--key-check-interval=1s", "--reseal-rate=200")
		for i := range old {
			key := old[i].DeepCopy()
			key.Annotations[keyring.AnnotationCreated] = time.Now().Add(-40 * 24 * time.Hour).UTC().Format(time.RFC3339)
			Expect(api.Patch(ctx, key, client.MergeFrom(&old[i]))).To(Succeed())
		}
		rotated := time.Now()
		isNew := func(sealed string) bool {
			for i := range old {
				if strings.HasPrefix(sealed, "lk1."+strings.TrimPrefix(old[i].Name, "latchkey-key-")+".") {
					return false
				}
			}
			return true
		}
		Eventually(ctx, func(g Gomega) {
			g.Expect(keys(ctx)).To(HaveLen(len(old) + 1))
			users, agents := &v1alpha1.UserSecretList{}, &v1alpha1.AgentSecretList{}
			g.Expect(api.List(ctx, users)).To(Succeed())
			g.Expect(api.List(ctx, agents)).To(Succeed())
			for i := range users.Items {
				g.Expect(isNew(users.Items[i].Spec.SealedValue)).To(BeTrue(), users.Items[i].Name)
			}
			for i := range agents.Items {
				g.Expect(isNew(agents.Items[i].Spec.SealedValue)).To(BeTrue(), agents.Items[i].Name)
			}
		}).Should(Succeed())
		report("a key has come of age, until every object is sealed with another one", time.Since(rotated))

		By("applying what was applied before, as every manager did")
		declared.apply(ctx, "after the rotation", "upgrade")

		By("deleting the old keys and replacing every process")
		for i := range old {
			Expect(api.Delete(ctx, &old[i])).To(Succeed())
		}
		restore(ctx)
		restart(ctx, serverName)
		awaitLatchkey(ctx)

		Expect(in(ctx, before, "cat", userDir+"/token")).To(Equal(canary + "token"))
		after := newPod(ctx, user.Namespace, "after", newSpec(), nil)
		awaitPod(ctx, after)
		for _, path := range []string{userDir + "/token", "/root/token"} {
			Expect(in(ctx, after, "cat", path)).To(Equal(canary + "token"))
		}
		Expect(variables(ctx, after, "main")).To(HaveKeyWithValue("TOKEN", canary+"token"))
		setValue(ctx, user.Namespace, "token", "sealed with the new key")
		for _, pod := range []*corev1.Pod{before, after} {
			Eventually(ctx, reading(pod, userDir+"/token"), 2*time.Minute).Should(Equal(canary + "sealed with the new key"))
		}
	})
})

// keys lists the sealing keys.
func keys(ctx context.Context) []corev1.Secret {
	GinkgoHelper()
	list := &corev1.SecretList{}
	Expect(api.List(ctx, list, client.InNamespace(systemNamespace), client.HasLabels{keyring.LabelSealingKey})).To(Succeed())
	return list.Items
}
