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

func registered(apiVersion, kind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetName(name)
	return o
}
