// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// perKey counts objects by the key that their value is sealed with.
const perKey = "latchkey_sealed_objects"

// month is longer than a key stays the newest by default.
const month = 31 * 24 * time.Hour

var _ = Describe("Sealing keys", func() {
	It("get a successor when they are old, to which everything moves, and nobody notices", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		for i := range 20 {
			create(ctx, framework.UserSecret(tenant, fmt.Sprint("u", i), v1alpha1.UserSecretSpec{
				EnvName: fmt.Sprint("U", i), FilePath: fmt.Sprint("~/u", i), Value: v1alpha1.WriteOnlyString(canary),
			}))
		}
		a := framework.AgentSecret(tenant, "a", text, quoted(canary), "a")
		create(ctx, a)
		modify(ctx, a, func(a *v1alpha1.AgentSecret) { a.Spec.Value = v1alpha1.NewWriteOnly([]byte(quoted(canary + "-1"))) })
		settled(ctx, tenant)
		names := []string{v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles, v1alpha1.BundleAgentEnv, v1alpha1.BundleAgentFiles}
		contents := func(ctx context.Context) map[string][]any {
			all := map[string][]any{}
			for _, name := range names {
				s := native(ctx, tenant, name)
				all[name] = []any{s.UID, s.Data, s.Annotations[v1alpha1.AnnotationMAC], s.Annotations[v1alpha1.AnnotationLayout]}
			}
			return all
		}
		before := contents(ctx)
		old, mark, began := newestKey(ctx), now(), time.Now()

		readable := watchReadability(ctx, tenant)
		makeKeysOlder(ctx, month)
		Eventually(ctx, newestKey).WithArguments(ctx).ShouldNot(Equal(old), "with the rotation of 30 days that is the default")
		newest := newestKey(ctx)
		Eventually(ctx, func(g Gomega) {
			for _, o := range objectsOf(ctx, tenant) {
				if sealed := sealedValueOf(o); sealed != "" {
					g.Expect(sealed).To(HavePrefix("lk1."+newest+"."), o.GetName())
				}
			}
		}).Should(Succeed(), "every object of the cluster is sealed again meanwhile")
		Eventually(ctx, func() float64 { return measured(ctx, perKey, "key_id", newest) }).Should(BeNumerically(">=", 21))
		Eventually(ctx, func() float64 { return measured(ctx, perKey, "key_id", old) }).Should(BeZero())
		settled(ctx, tenant)
		readable.stop()

		Expect(contents(ctx)).To(Equal(before), "what is in the bundles is the same")
		rounds := 1 + int(time.Since(began)/(10*time.Second))
		Expect(len(requests(ctx, mark, framework.ByController, framework.Writes, framework.On("secrets"), framework.In(tenant)))).
			To(BeNumerically("<=", rounds*len(names)), "what they were made from is noted every ten seconds at most")
		Expect(requests(ctx, mark, framework.ByController, framework.Writes, framework.On("events"), framework.In(tenant))).To(BeEmpty())
		Expect(api.Get(ctx, key(a), a)).To(Succeed())
		Expect(a.Spec.Revision).To(BeEquivalentTo(1))
		Expect(publishedKeys(ctx)[:2]).To(Equal([]string{newest, old}))
	})

	It("get a successor when somebody asks for it, at once and once", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		create(ctx, framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString(canary)}))
		settled(ctx, tenant)
		Expect(controller.Restart(ctx, "--key-check-interval=1h", "--reseal-rate=1000", "--key-rotation=0")).To(Succeed(), "it hears of the request by watching")
		DeferCleanup(func(ctx SpecContext) { Expect(controller.Restart(ctx, quickly...)).To(Succeed()) })
		ask := func(id string, at time.Time) {
			GinkgoHelper()
			modify(ctx, native(ctx, framework.SystemNamespace, "latchkey-key-"+id), func(s *corev1.Secret) {
				s.Annotations[keyring.AnnotationRotateRequested] = at.Format(time.RFC3339)
			})
		}
		old, before := newestKey(ctx), storedKeys(ctx)

		ask(old, time.Now().AddDate(-1, 0, 0))
		Consistently(ctx, storedKeys).WithArguments(ctx).Should(ConsistOf(before), "the key was made since")
		ask(old, time.Now().Add(time.Second))
		Eventually(ctx, newestKey).WithArguments(ctx).ShouldNot(Equal(old))
		newest := newestKey(ctx)
		Eventually(ctx, func() string { return specOf(ctx, tenant, "token").SealedValue }).Should(HavePrefix("lk1." + newest + "."))
		ask(old, time.Now().Add(time.Minute))
		Consistently(ctx, storedKeys).WithArguments(ctx).Should(ConsistOf(append(before, newest)), "it has its successor")
		Expect(controller.Restart(ctx, quickly...)).To(Succeed())
		Consistently(ctx, storedKeys).WithArguments(ctx).Should(ConsistOf(append(before, newest)), "another leader finds the request done")
	})

	It("are published beside the limits and the version that clients need to know", func(ctx SpecContext) {
		published := func(ctx context.Context) (limits.Limits, error) {
			m := &corev1.ConfigMap{}
			if err := api.Get(ctx, client.ObjectKey{Namespace: framework.SystemNamespace, Name: keyring.PublicKeysName}, m); err != nil {
				return limits.Limits{}, err
			}
			Expect(m.Data[keyring.PublicVersion]).NotTo(BeEmpty())
			var found limits.Limits
			return found, json.Unmarshal([]byte(m.Data[keyring.PublicLimitsJSON]), &found)
		}
		want := limits.Of(limits.DefaultUser(), limits.DefaultAgent())
		Expect(published(ctx)).To(Equal(want))
		Expect(controller.Restart(ctx, append([]string{"--user-max-secrets=60", "--agent-max-value-bytes=1000"}, quickly...)...)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(controller.Restart(ctx, quickly...)).To(Succeed())
			Eventually(ctx, published).Should(Equal(want))
		})
		changed := want
		changed.User.Secrets, changed.Agent.ValueBytes = 60, 1000
		Eventually(ctx, published).Should(Equal(changed))
	})

	It("that seal nothing any more are retired after a while, and no others", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		u := framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString(canary)})
		create(ctx, u)
		settled(ctx, tenant)
		old := newestKey(ctx)
		makeKeysOlder(ctx, month)
		Eventually(ctx, newestKey).WithArguments(ctx).ShouldNot(Equal(old))
		newest := newestKey(ctx)
		Eventually(ctx, func() float64 { return measured(ctx, perKey, "key_id", old) }).Should(BeZero())
		Consistently(ctx, storedKeys).WithArguments(ctx).Should(ContainElement(old), "a year is the default")

		makeKeysOlder(ctx, 2*24*time.Hour)
		Expect(controller.Restart(ctx, append([]string{"--key-retention=24h"}, quickly...)...)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(controller.Restart(ctx, quickly...)).To(Succeed()) })
		Eventually(ctx, storedKeys).WithArguments(ctx).Should(Equal([]string{newest}))
		Eventually(ctx, publishedKeys).WithArguments(ctx).Should(HaveLen(1))
		Consistently(ctx, storedKeys).WithArguments(ctx).Should(Equal([]string{newest}))
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(Equal(values{"TOKEN": canary}))
	})

	It("that are lost are asked for, and all is well when they are back", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		u := framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString(canary)})
		create(ctx, u)
		settled(ctx, tenant)
		lost := newestKey(ctx)
		secret := native(ctx, framework.SystemNamespace, "latchkey-key-"+lost)
		backup := secret.DeepCopy()
		backup.ResourceVersion, backup.UID = "", ""
		whileStopped(ctx, func() { Expect(api.Delete(ctx, secret)).To(Succeed()) })

		Eventually(ctx, condition(u)).Should(Equal("False KeyNotFound"))
		Expect(message(ctx, u)).To(Equal("sealedValue needs sealing key " + lost + ", which does not exist: restore that key, or set the value again; the value that the bundle has stays in it"))
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(Equal(values{"TOKEN": canary}))
		Eventually(ctx, eventsOn(u)).Should(ContainElement("Warning KeyNotFound"))
		create(ctx, backup)
		Eventually(ctx, condition(u)).Should(Equal("True Projected"))
		Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"TOKEN": canary}))
		awaitIdle(ctx) // the objects of all other specs were without their key too
	})
})

// newestKey returns the id of the key that seals, as it is published.
func newestKey(ctx context.Context) string {
	GinkgoHelper()
	published := &corev1.ConfigMap{}
	Expect(api.Get(ctx, client.ObjectKey{Namespace: framework.SystemNamespace, Name: keyring.PublicKeysName}, published)).To(Succeed())
	return published.Data[keyring.PublicKeyID]
}

// publishedKeys returns the published keys, newest first, by their ids.
func publishedKeys(ctx context.Context) []string {
	GinkgoHelper()
	published := &corev1.ConfigMap{}
	Expect(api.Get(ctx, client.ObjectKey{Namespace: framework.SystemNamespace, Name: keyring.PublicKeysName}, published)).To(Succeed())
	var list []keyring.PublishedKey
	Expect(json.Unmarshal([]byte(published.Data[keyring.PublicKeysJSON]), &list)).To(Succeed())
	Expect(list[0].ID).To(Equal(published.Data[keyring.PublicKeyID]))
	Expect(base64.StdEncoding.EncodeToString(list[0].Public)).To(Equal(published.Data[keyring.PublicKeyBase64]))
	found := make([]string, 0, len(list))
	for _, k := range list {
		found = append(found, k.ID)
	}
	return found
}

// storedKeys returns the ids of the keys that there are.
func storedKeys(ctx context.Context) []string {
	GinkgoHelper()
	all := &corev1.SecretList{}
	Expect(api.List(ctx, all, client.InNamespace(framework.SystemNamespace), client.HasLabels{keyring.LabelSealingKey})).To(Succeed())
	var found []string
	for i := range all.Items {
		found = append(found, strings.TrimPrefix(all.Items[i].Name, "latchkey-key-"))
	}
	return found
}

// makeKeysOlder dates every key back. Their order stays.
func makeKeysOlder(ctx context.Context, by time.Duration) {
	GinkgoHelper()
	all := &corev1.SecretList{}
	Expect(api.List(ctx, all, client.InNamespace(framework.SystemNamespace), client.HasLabels{keyring.LabelSealingKey})).To(Succeed())
	for i := range all.Items {
		modify(ctx, &all.Items[i], func(s *corev1.Secret) {
			created, err := time.Parse(time.RFC3339Nano, s.Annotations[keyring.AnnotationCreated])
			Expect(err).NotTo(HaveOccurred())
			s.Annotations[keyring.AnnotationCreated] = created.Add(-by).Format(time.RFC3339Nano)
		})
	}
}

func sealedValueOf(o client.Object) string {
	switch o := o.(type) {
	case *v1alpha1.UserSecret:
		return o.Spec.SealedValue
	case *v1alpha1.AgentSecret:
		return o.Spec.SealedValue
	}
	return ""
}
