// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// few and many are how many secrets of each kind a tenant has: the same change costs the
// same in both.
const few, many = 3, 40

var _ = Describe("One change", Ordered, func() {
	tenants := map[int]string{}

	BeforeAll(func(ctx SpecContext) {
		for _, n := range []int{few, many} {
			tenants[n] = newTenant(ctx)
			for i := range n {
				create(ctx, framework.UserSecret(tenants[n], fmt.Sprint("u", i), v1alpha1.UserSecretSpec{
					EnvName: fmt.Sprint("U", i), FilePath: fmt.Sprint("~/u", i), Value: v1alpha1.WriteOnlyString(canary),
				}), framework.AgentSecret(tenants[n], fmt.Sprint("a", i), text, quoted(canary), fmt.Sprint("a", i)))
			}
			settled(ctx, tenants[n])
		}
	})

	// A change opens what it brings and nothing else. The document is remade from the
	// files that the bundle has: one read. What was projected once and is lost is read again,
	// the list being of that object alone.
	for _, kind := range []struct {
		what   string
		change func(ctx context.Context, tenant string)
		// opens are the values opened, asks what the controller asks of the API server.
		opens float64
		asks  []string
		keys  map[string][]string
	}{
		{
			"of a user's value", func(ctx context.Context, tenant string) {
				modify(ctx, userSecret(tenant, "u0"), func(u *v1alpha1.UserSecret) { u.Spec.Value = v1alpha1.WriteOnlyString(canary + "-2") })
			},
			1, []string{"patch secrets latchkey-user-env", "patch secrets latchkey-user-files", "update usersecrets/status u0"},
			map[string][]string{v1alpha1.BundleUserEnv: {"U0"}, v1alpha1.BundleUserFiles: {"u0"}},
		},
		{
			"of an agent's value", func(ctx context.Context, tenant string) {
				modify(ctx, agentSecret(tenant, "a0"), func(a *v1alpha1.AgentSecret) { a.Spec.Value = v1alpha1.NewWriteOnly([]byte(quoted(canary + "-2"))) })
			},
			1, []string{"get secrets latchkey-agent-files", "patch secrets latchkey-agent-env", "patch secrets latchkey-agent-files", "update agentsecrets/status a0"},
			map[string][]string{v1alpha1.BundleAgentEnv: {"A0"}, v1alpha1.BundleAgentFiles: {"a0", "secrets.json"}},
		},
		{
			"that takes a user's secret away", func(ctx context.Context, tenant string) {
				Expect(api.Delete(ctx, userSecret(tenant, "u1"))).To(Succeed())
			},
			0, []string{"patch secrets latchkey-user-env", "patch secrets latchkey-user-files"},
			map[string][]string{v1alpha1.BundleUserEnv: {"U1"}, v1alpha1.BundleUserFiles: {"u1"}},
		},
		{
			"that takes an agent's secret away", func(ctx context.Context, tenant string) {
				Expect(api.Delete(ctx, agentSecret(tenant, "a1"))).To(Succeed())
			},
			0, []string{"get secrets latchkey-agent-files", "patch secrets latchkey-agent-env", "patch secrets latchkey-agent-files"},
			map[string][]string{v1alpha1.BundleAgentEnv: {"A1"}, v1alpha1.BundleAgentFiles: {"a1", "secrets.json"}},
		},
		{
			"by hand of an agent's file", func(ctx context.Context, tenant string) {
				modify(ctx, native(ctx, tenant, v1alpha1.BundleAgentFiles), func(s *corev1.Secret) { s.Data["a2"] = []byte("drifted") })
			},
			1, []string{"list agentsecrets a2", "patch secrets latchkey-agent-files", "update agentsecrets/status a2"}, nil,
		},
		{
			"by hand of the document", func(ctx context.Context, tenant string) {
				modify(ctx, native(ctx, tenant, v1alpha1.BundleAgentFiles), func(s *corev1.Secret) { delete(s.Data, "secrets.json") })
			},
			0, []string{"get secrets latchkey-agent-files", "patch secrets latchkey-agent-files"}, nil,
		},
	} {
		It(kind.what+" costs the same in a small tenant and in a large one", func(ctx SpecContext) {
			for _, n := range []int{few, many} {
				tenant := tenants[n]
				awaitIdle(ctx)
				was, openedBefore, mark := bundlesOf(ctx, tenant), measured(ctx, opened), now()
				kind.change(ctx, tenant)
				Eventually(ctx, func() []string { return askedOf(ctx, mark, tenant) }).Should(Equal(kind.asks), "%d secrets", n)
				awaitIdle(ctx)
				Expect(askedOf(ctx, mark, tenant)).To(Equal(kind.asks), "%d secrets: and nothing after it", n)
				Expect(measured(ctx, opened)-openedBefore).To(Equal(kind.opens), "%d secrets", n)
				is := bundlesOf(ctx, tenant)
				for bundle := range is {
					Expect(differ(was[bundle].Data, is[bundle].Data)).To(Equal(kind.keys[bundle]), "%s of %d secrets", bundle, n)
				}
			}
		})
	}
})

// askedOf returns what the controller asked about a tenant since mark, sorted.
func askedOf(ctx context.Context, mark framework.Mark, tenant string) []string {
	GinkgoHelper()
	var out []string
	for _, r := range requests(ctx, mark, framework.ByController, framework.In(tenant)) {
		resource := r.Resource
		if r.Subresource != "" {
			resource += "/" + r.Subresource
		}
		out = append(out, r.Verb+" "+resource+" "+r.Name)
	}
	slices.Sort(out)
	return out
}

// bundlesOf returns a tenant's bundles, by name.
func bundlesOf(ctx context.Context, tenant string) map[string]corev1.Secret {
	GinkgoHelper()
	all := &corev1.SecretList{}
	Expect(api.List(ctx, all, client.InNamespace(tenant), client.HasLabels{v1alpha1.LabelBundle})).To(Succeed())
	out := map[string]corev1.Secret{}
	for _, s := range all.Items {
		out[s.Name] = s
	}
	return out
}

// differ returns the keys that are not the same in both, sorted; nil where there is none.
func differ(a, b map[string][]byte) []string {
	var out []string
	for _, from := range []map[string][]byte{a, b} {
		for key := range from {
			if string(a[key]) != string(b[key]) && !slices.Contains(out, key) {
				out = append(out, key)
			}
		}
	}
	slices.Sort(out)
	return out
}
