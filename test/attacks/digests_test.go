// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/controllers/rollout"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// The documents say that digests tell nothing about values. An attacker who can read
// them guesses a value, and tests the guess by making the same content in a namespace
// of their own, or by hashing it.
var _ = Describe("Digests that tenants can read", Ordered, func() {
	const guess = "1234" // a PIN, of which there are 10,000
	var victim, attacker *restartTenant

	BeforeAll(func(ctx SpecContext) {
		Expect(stack.Controller.Restart(ctx, "--restart-delay=200ms", "--restart-min-interval=0")).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(stack.Controller.Restart(ctx)).To(Succeed()) })
		victim, attacker = newRestartTenant(ctx, 1), newRestartTenant(ctx, 1)
		for _, t := range []*restartTenant{victim, attacker} {
			Expect(t.editor.Create(ctx, framework.AgentSecret(t.namespace, "pin", `{"type":"Str"}`, `"`+guess+`"`, "pin"))).To(Succeed())
			t.settle(ctx, guess)
		}
	})

	It("are the same for the same content of the same namespace", func(ctx SpecContext) {
		before := victim.digests(ctx)
		Expect(before).To(HaveLen(6), "four bundles, a workload and its pod template")
		victim.settle(ctx, "another")
		Expect(victim.digests(ctx)["workload"]).NotTo(Equal(before["workload"]))
		victim.settle(ctx, guess)
		Expect(victim.digests(ctx)).To(Equal(before), "the control: what an attacker compares is comparable")
	})

	It("are unlike for the same content of another namespace", func(ctx SpecContext) {
		theirs, own := victim.digests(ctx), attacker.digests(ctx)
		Expect(own).To(HaveLen(len(theirs)))
		for place, d := range theirs {
			Expect(slices.Collect(maps.Values(own))).NotTo(ContainElement(d), place)
		}
	})

	It("are unlike for another bundle and another purpose", func(ctx SpecContext) {
		digests := victim.digests(ctx)
		Expect(digests["workload"]).To(Equal(digests["pod template"]))
		delete(digests, "pod template")
		Expect(slices.Compact(slices.Sorted(maps.Values(digests)))).To(HaveLen(5))
	})

	It("are nothing that can be computed without the key", func(ctx SpecContext) {
		tried := guesses(victim.namespace, victim.bundles(ctx))
		Expect(tried).To(HaveKey(hex.EncodeToString(sha256.New().Sum(nil))), "the control: hashes are among what is tried")
		for place, d := range victim.digests(ctx) {
			Expect(d).To(HaveLen(43), place)
			Expect(tried).NotTo(HaveKey(d), place)
		}
	})
})

// settle gives the tenant's secret a value, and waits until the bundles and the
// workload have it.
func (t *restartTenant) settle(ctx SpecContext, value string) {
	GinkgoHelper()
	secret := framework.UserSecret(t.namespace, "token", v1alpha1.UserSecretSpec{})
	Expect(api.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
	change := secret.DeepCopy()
	change.Spec.Value, change.Spec.FilePath = v1alpha1.WriteOnlyString(value), "~/token"
	Expect(t.editor.Patch(ctx, change, client.MergeFrom(secret))).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		bundles := t.bundles(ctx)
		g.Expect(bundles).To(HaveLen(4))
		g.Expect(string(bundles[v1alpha1.BundleUserEnv]["TOKEN"])).To(Equal(value))
		g.Expect(bundles[v1alpha1.BundleUserFiles]).To(ContainElement([]byte(value)))
	}).Should(Succeed())
	// The workload follows within the delay: it has when a second changes nothing.
	var last map[string]string
	Eventually(ctx, func(g Gomega) {
		was := last
		last = t.digests(ctx)
		g.Expect(last["pod template"]).To(Equal(last["workload"]))
		g.Expect(last).To(Equal(was))
	}).WithPolling(time.Second).Should(Succeed())
}

// digests returns the digests that can be read in the tenant's namespace.
func (t *restartTenant) digests(ctx SpecContext) map[string]string {
	GinkgoHelper()
	list := &corev1.SecretList{}
	Expect(api.List(ctx, list, client.InNamespace(t.namespace), client.HasLabels{v1alpha1.LabelBundle})).To(Succeed())
	found := map[string]string{"pod template": t.hashes(ctx)[0], "workload": t.workloads[0].Annotations[rollout.AnnotationContentHash]}
	for i := range list.Items {
		found[list.Items[i].Name] = list.Items[i].Annotations[v1alpha1.AnnotationMAC]
	}
	return found
}

// bundles returns the content of the tenant's bundles, by name.
func (t *restartTenant) bundles(ctx SpecContext) map[string]map[string][]byte {
	GinkgoHelper()
	list := &corev1.SecretList{}
	Expect(api.List(ctx, list, client.InNamespace(t.namespace), client.HasLabels{v1alpha1.LabelBundle})).To(Succeed())
	found := map[string]map[string][]byte{}
	for i := range list.Items {
		found[list.Items[i].Name] = list.Items[i].Data
	}
	return found
}

// guesses returns hashes of a content that somebody without the key can compute: plain
// ones of each value and of all in the forms in which they are digested, and keyed
// ones with keys that are public.
func guesses(namespace string, bundles map[string]map[string][]byte) map[string]bool {
	tried := map[string]bool{}
	add := func(text []byte) {
		hashes := []hash.Hash{sha256.New(), sha512.New512_256()}
		for _, key := range [][]byte{nil, make([]byte, digest.KeyLen), []byte(namespace), []byte("latchkey")} {
			hashes = append(hashes, hmac.New(sha256.New, key))
		}
		for _, h := range hashes {
			h.Write(text)
			sum := h.Sum(nil)
			tried[hex.EncodeToString(sum)] = true
			tried[base64.RawURLEncoding.EncodeToString(sum)] = true
			tried[base64.StdEncoding.EncodeToString(sum)] = true
		}
	}
	add(nil)
	zero, _ := digest.NewKey(make([]byte, digest.KeyLen))
	var macs []string
	for name, data := range bundles {
		var all []byte
		for _, key := range slices.Sorted(maps.Keys(data)) {
			add(data[key])
			add([]byte(key + "=" + string(data[key])))
			all = append(append(append(all, key...), 0), data[key]...)
		}
		add(all)
		mac := bundle.MAC(zero, namespace, name, bundle.DigestsOf(zero, namespace, name, data), "")
		tried[mac] = true
		macs = append(macs, name+" "+mac)
	}
	slices.Sort(macs)
	tried[zero.Sum(digest.PurposeWorkload, namespace, macs...)] = true
	return tried
}
