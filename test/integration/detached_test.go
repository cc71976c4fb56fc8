// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"os/exec"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// What makes the API server ask Latchkey comes back when somebody deletes it, and does
// not when Latchkey is uninstalled.
var _ = Describe("What the API server asks Latchkey by", Ordered, func() {
	all := []*unstructured.Unstructured{registered("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", certs.WebhookConfiguration)}
	for _, name := range certs.APIServices() {
		all = append(all, registered("apiregistration.k8s.io/v1", "APIService", name))
	}

	It("is put back when it is deleted, and trusted", func(ctx SpecContext) {
		for range 2 { // also what was put back
			for _, o := range all {
				Expect(api.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
				before := o.GetUID()
				Expect(api.Delete(ctx, o)).To(Succeed())
				Eventually(ctx, func(g Gomega) {
					g.Expect(api.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
					g.Expect(o.GetUID()).NotTo(Equal(before))
				}, 20*time.Second).Should(Succeed())
			}
		}
		Expect(cluster.AwaitAdmission(ctx)).To(Succeed())
		for _, o := range all[1:] {
			Eventually(ctx, func(ctx context.Context) (string, error) {
				err := api.Get(ctx, client.ObjectKeyFromObject(o), o)
				ca, _, _ := unstructured.NestedString(o.Object, "spec", "caBundle")
				return ca, err
			}).ShouldNot(BeEmpty())
		}
	})

	DescribeTable("is corrected when somebody alters it, and belongs to the one who applied it", func(ctx SpecContext, which int, patch string) {
		o := all[which]
		Expect(api.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		before := declared(o)
		Expect(api.Patch(ctx, o, client.RawPatch(types.JSONPatchType, []byte(patch)), client.FieldOwner("kubectl-edit"))).To(Succeed())
		Expect(declared(o)).NotTo(Equal(before))
		Eventually(ctx, func(g Gomega) {
			g.Expect(api.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
			g.Expect(declared(o)).To(Equal(before))
			for _, m := range o.GetManagedFields() {
				g.Expect(m.Manager).NotTo(Or(Equal("latchkey-repair"), Equal("kubectl-edit")))
			}
		}, 10*time.Second).Should(Succeed())
		Expect(cluster.RestoreManifests(ctx)).To(Succeed(), "nobody owns what the manifests say but the one who applied them")
		Expect(cluster.AwaitAdmission(ctx)).To(Succeed())
	},
		Entry("an entry that is taken out", 0, `[{"op":"remove","path":"/webhooks/0"}]`),
		Entry("an entry that does not refuse any more", 0, `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`),
		Entry("a condition that never holds", 0, `[{"op":"add","path":"/webhooks/0/matchConditions/-","value":{"name":"never","expression":"false"}}]`),
		Entry("conditions that are taken out", 0, `[{"op":"remove","path":"/webhooks/2/matchConditions"}]`),
		Entry("rules without updates", 0, `[{"op":"replace","path":"/webhooks/0/rules/0/operations","value":["CREATE"]}]`),
		Entry("a selector that leaves everybody out", 0, `[{"op":"replace","path":"/webhooks/0/namespaceSelector","value":{"matchLabels":{"nobody":"true"}}}]`),
		Entry("an address elsewhere", 0, `[{"op":"replace","path":"/webhooks/0/clientConfig","value":{"url":"https://192.0.2.1/admit"}}]`),
		Entry("an API that leads elsewhere", 1, `[{"op":"replace","path":"/spec/service/name","value":"other"}]`),
		Entry("an API whose certificate nobody checks", 2, `[{"op":"remove","path":"/spec/caBundle"},{"op":"add","path":"/spec/insecureSkipTLSVerify","value":true}]`),
	)

	It("stays as it is declared, by whom ever", func(ctx SpecContext) {
		o := all[0]
		for _, manager := range []string{"administrator", "helm"} {
			Expect(api.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
			patch := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"replace","path":"/webhooks/2/failurePolicy","value":"Ignore"}]`))
			Expect(api.Patch(ctx, o, patch, client.FieldOwner(manager))).To(Succeed())
			wanted := declared(o)
			Consistently(ctx, func(g Gomega) {
				g.Expect(api.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
				g.Expect(declared(o)).To(Equal(wanted))
			}, 3*time.Second).Should(Succeed())
			back := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"replace","path":"/webhooks/2/failurePolicy","value":"Fail"}]`))
			Expect(api.Patch(ctx, o, back, client.FieldOwner(manager))).To(Succeed())
		}
	})

	It("stays away after latchkey uninstall, while the controller still runs", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) { Expect(cluster.RestoreWebhooks(ctx)).To(Succeed()) })
		out, err := exec.CommandContext(ctx, cluster.Binary(), "uninstall", "--kubeconfig="+filepath.Join(cluster.Dir, "admin.kubeconfig"), "--namespace="+framework.SystemNamespace).CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(out))
		Consistently(ctx, func(g Gomega) {
			for _, o := range all {
				g.Expect(apierrors.IsNotFound(api.Get(ctx, client.ObjectKeyFromObject(o), o))).To(BeTrue(), o.GetName())
			}
		}, 6*time.Second).Should(Succeed())
	})
})

// declared returns what an object asks of the API server, without what the controllers
// maintain in it.
func declared(o *unstructured.Unstructured) map[string]any {
	all := o.DeepCopy().Object
	unstructured.RemoveNestedField(all, "spec", "caBundle")
	hooks, _, err := unstructured.NestedSlice(all, "webhooks")
	Expect(err).NotTo(HaveOccurred())
	for _, h := range hooks {
		hook, is := h.(map[string]any)
		Expect(is).To(BeTrue())
		unstructured.RemoveNestedField(hook, "clientConfig", "caBundle")
		unstructured.RemoveNestedField(hook, "clientConfig", "service", "path")
	}
	return map[string]any{"spec": all["spec"], "webhooks": hooks}
}

func registered(apiVersion, kind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetName(name)
	return o
}
