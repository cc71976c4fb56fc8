// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// An author who rewrites a field becomes its owner, and server-side apply of everybody else
// then conflicts. Latchkey rewrites values, sealed values, paths, types and revisions.
var _ = Describe("The owners of fields", func() {
	serverSide := func(manager string) []string { return []string{"--server-side", "--field-manager=" + manager} }

	// rotate makes a new key and waits until an object is sealed with it.
	rotate := func(ctx context.Context, obj client.Object) {
		GinkgoHelper()
		old := newestKey(ctx)
		makeKeysOlder(ctx, month)
		Eventually(ctx, newestKey).WithArguments(ctx).ShouldNot(Equal(old))
		Eventually(ctx, func(g Gomega) {
			g.Expect(api.Get(ctx, key(obj), obj)).To(Succeed())
			g.Expect(sealedValueOf(obj)).To(HavePrefix("lk1." + newestKey(ctx) + "."))
		}).Should(Succeed())
	}

	for _, kind := range []string{"UserSecret", "AgentSecret"} {
		It("stay as they were after a rotation, for all who apply the same sealed "+kind, func(ctx SpecContext) {
			tenant := newTenant(ctx)
			manifest := userManifest(tenant, "npm", "envName: NPM_AUTH\nsealedValue: "+sealFor(ctx, "UserSecret", tenant, "npm", canary))
			obj := client.Object(userSecret(tenant, "npm"))
			if kind == "AgentSecret" {
				manifest = agentManifest(tenant, "npm", "path: [npm]\nsecretType: {type: Str}\nenvName: NPM_AUTH\nsealedValue: "+sealFor(ctx, kind, tenant, "npm", quoted(canary)))
				obj = agentSecret(tenant, "npm")
			}
			for _, manager := range []string{"gitops", "helm"} {
				apply(ctx, manifest, serverSide(manager)...)
			}
			settled(ctx, tenant)
			owners := ownersOf(ctx, obj)
			Expect(owners).To(HaveKey("gitops Apply"))
			Expect(owners["gitops Apply"]).To(ContainSubstring("f:envName"), "control: fields that people own have owners")

			rotate(ctx, obj)
			settled(ctx, tenant)
			Expect(ownersOf(ctx, obj)).To(Equal(owners))
			before := versions(ctx, tenant)
			for _, manager := range []string{"gitops", "helm", "gitops"} {
				apply(ctx, manifest, serverSide(manager)...)
				out, err := cluster.Kubectl.Run(ctx, manifest, append([]string{"diff", "-f", "-"}, serverSide(manager)...)...)
				Expect(err).NotTo(HaveOccurred(), "nothing differs")
				Expect(out).To(BeEmpty())
			}
			Expect(versions(ctx, tenant)).To(Equal(before), "nothing changed")
			apply(ctx, manifest, serverSide("newcomer")...)
			apply(ctx, manifest)
			Expect(specOfSealed(ctx, obj)).To(HavePrefix("lk1." + newestKey(ctx) + "."))

			err := tryApply(ctx, strings.Replace(manifest, "NPM_AUTH", "OTHER", 1), serverSide("gitops")...)
			Expect(err).To(MatchError(ContainSubstring("conflict")), "control: a field that another manager owns conflicts")
		})
	}

	DescribeTable("are in nobody's way", func(ctx SpecContext, spec string, ways ...[]string) {
		tenant := newTenant(ctx)
		manifest := agentManifest(tenant, "db", spec)
		if !strings.Contains(spec, "path:") {
			manifest = userManifest(tenant, "db", spec)
		}
		for i, way := range ways {
			Expect(tryApply(ctx, manifest, way...)).To(Succeed(), "as number %d: %v", i, way)
		}
		before := versions(ctx, tenant)
		for _, way := range ways[1:] {
			Expect(tryApply(ctx, manifest, way...)).To(Succeed(), "again: %v", way)
		}
		Expect(versions(ctx, tenant)).To(HaveKeyWithValue(tenant+"/db", before[tenant+"/db"]), "nothing changed")
	},
		Entry("of a path in snake case, by two managers", snakePath, serverSide("gitops"), serverSide("helm")),
		Entry("of a path in snake case, on the client's side, then on the server's", snakePath, nil, serverSide("kubectl"), serverSide("helm")),
		Entry("of a type in another spelling, by two managers", spelledType, serverSide("gitops"), serverSide("helm")),
		Entry("of a type in another spelling, on the client's side, then on the server's", spelledType, nil, serverSide("helm")),
		Entry("of a user's value, by two managers", "envName: DB\nvalue: "+canary, serverSide("gitops"), serverSide("helm")),
		Entry("of a user's value, on the client's side, then on the server's", "envName: DB\nvalue: "+canary, nil, serverSide("kubectl"), serverSide("helm")),
	)

	It("find what they noted on a secret when REST has changed it", func(ctx SpecContext) {
		const name = "owners-rest"
		f := restFace(ctx, server)
		owner := restTenant(ctx, api, f, name)
		user, agent := client.Object(userSecret(owner.Namespace, "db")), client.Object(agentSecret(owner.Namespace, "db"))
		apply(ctx, userManifest(owner.Namespace, "db", "envName: DB\nvalue: "+canary))
		apply(ctx, agentManifest(owner.Namespace, "db", "path: [db]\nsecretType: {type: Str}\nvalue: "+canary))
		noted := func(o client.Object) map[string]string {
			Expect(api.Get(ctx, key(o), o)).To(Succeed())
			all := maps.Clone(o.GetAnnotations())
			delete(all, v1alpha1.AnnotationUpdatedAt)
			maps.Copy(all, o.GetLabels())
			return all
		}
		run(ctx, "-n", owner.Namespace, "annotate", "usec/db", "asec/db", "example.com/note=kept")
		run(ctx, "-n", owner.Namespace, "label", "usec/db", "asec/db", "team=kept")
		before := map[client.Object]map[string]string{}
		for _, o := range []client.Object{user, agent} {
			Eventually(ctx, condition(o)).Should(Equal("True Projected"))
			before[o] = noted(o)
			Expect(before[o]).To(And(HaveKey(corev1.LastAppliedConfigAnnotation), HaveKey("team")), "control")
		}
		for url, body := range map[string]string{
			f.Coder + "/users/" + name + "/secrets/db":           `{"description":"d","value":"other"}`,
			f.Golem + "/agent-secrets/" + string(agent.GetUID()): `{"currentRevision":0,"secretValue":{"op":"set","value":"other"}}`,
		} {
			got, err := f.Do(ctx, http.MethodPatch, url, http.Header{"Authorization": {"Bearer " + owner.Token}, "Content-Type": {"application/json"}}, body)
			Expect(err).NotTo(HaveOccurred())
			Expect(got.Status).To(Equal(http.StatusOK), "%s: %s", url, got.Body)
		}
		for o, was := range before {
			Expect(noted(o)).To(Equal(was))
		}
	})

	It("let an object be applied again as it was read, with its status and revision", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		a := framework.AgentSecret(tenant, "read", text, quoted(canary), "read_back")
		create(ctx, a)
		modify(ctx, a, func(a *v1alpha1.AgentSecret) { a.Spec.Value = v1alpha1.NewWriteOnly([]byte(quoted(canary + "-1"))) })
		settled(ctx, tenant)
		out := run(ctx, "-n", tenant, "get", "asec", "read", "-o", "yaml")
		modify(ctx, a, func(a *v1alpha1.AgentSecret) { a.Spec.Value = v1alpha1.NewWriteOnly([]byte(quoted(canary + "-2"))) })
		settled(ctx, tenant)
		var lines []string
		for line := range strings.Lines(out) {
			if !strings.Contains(line, "resourceVersion") {
				lines = append(lines, line)
			}
		}
		Expect(tryApply(ctx, strings.Join(lines, ""), serverSide("gitops")...)).To(Succeed())
		Expect(tryApply(ctx, strings.Join(lines, ""), serverSide("helm")...)).To(Succeed())
	})
})

const (
	snakePath   = "path: [db_password]\nsecretType: {type: Str}\nvalue: " + canary
	spelledType = "path: [db]\nsecretType: {type: Option, owner: null, inner: {type: Str, x: y}}\nvalue: " + canary
)

// ownersOf returns what each manager owns of an object, but for its status.
func ownersOf(ctx context.Context, obj client.Object) map[string]string {
	GinkgoHelper()
	Expect(api.Get(ctx, key(obj), obj)).To(Succeed())
	owners := map[string]string{}
	for _, m := range obj.GetManagedFields() {
		if m.Subresource == "" {
			owners[fmt.Sprint(m.Manager, " ", m.Operation)] = m.FieldsV1.GetRawString()
		}
	}
	return owners
}

func specOfSealed(ctx context.Context, obj client.Object) string {
	GinkgoHelper()
	Expect(api.Get(ctx, key(obj), obj)).To(Succeed())
	return sealedValueOf(obj)
}
