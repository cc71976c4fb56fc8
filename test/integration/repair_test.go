// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/controllers/rollout"
	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// What Latchkey made in its own namespace comes back as it was, while it runs, however
// it was deleted.
var _ = Describe("What is deleted from Latchkey's own namespace", Ordered, func() {
	at := metav1.ObjectMeta{Namespace: framework.SystemNamespace}
	secret := func(name string) client.Object {
		o := &corev1.Secret{ObjectMeta: at}
		o.Name = name
		return o
	}
	configMap := func(name string) client.Object {
		o := &corev1.ConfigMap{ObjectMeta: at}
		o.Name = name
		return o
	}

	BeforeAll(func(ctx SpecContext) {
		// With the usual intervals: what is put back must not be due to a look that
		// comes often here.
		Expect(controller.Restart(ctx, "--key-check-interval=1h", "--restart-delay=0")).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(controller.Restart(ctx, quickly...)).To(Succeed()) })
		// So that there is a restart to write down.
		tenant := newTenant(ctx)
		create(ctx, framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString("one")}))
		Eventually(ctx, condition(userSecret(tenant, "token"))).Should(Equal("True Projected"))
		web := newDeployment(tenant, "web")
		create(ctx, web)
		DeferCleanup(remove, web)
		Eventually(ctx, noted(web)).ShouldNot(BeEmpty())
		setValue(ctx, tenant, "two")
		Eventually(ctx, rolledTo(web)).ShouldNot(BeEmpty())
	})

	DescribeTable("is put back with what it held", func(ctx SpecContext, o client.Object) {
		for range 2 { // also what was put back
			was := contentOf(ctx, o)
			uid := o.GetUID()
			Expect(was).NotTo(BeEmpty())
			Expect(api.Delete(ctx, o)).To(Succeed())
			Eventually(ctx, func(g Gomega) {
				g.Expect(api.Get(ctx, key(o), o)).To(Succeed())
				g.Expect(o.GetUID()).NotTo(Equal(uid))
				g.Expect(contentOf(ctx, o)).To(Equal(was))
			}, 5*time.Second).Should(Succeed())
		}
	},
		Entry("the certificate", secret(certs.SecretName)),
		Entry("the key of the digests", secret(keyring.DigestKeyName)),
		Entry("the public keys", configMap(keyring.PublicKeysName)),
		Entry("the record of restarts", configMap(rollout.RecordName)),
	)

	// People seal with the public keys that stand there, and the API server and the servers
	// need the certificate: neither waits for the next round.
	DescribeTable("is corrected at once where somebody changes it", func(ctx SpecContext, o client.Object, patch string, broken func(map[string]string) bool) {
		was := contentOf(ctx, o)
		Expect(broken(was)).To(BeFalse())
		Expect(api.Patch(ctx, o, client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
		Eventually(ctx, func() bool { return broken(contentOf(ctx, o)) }, 10*time.Second).Should(BeFalse())
		Expect(cluster.AwaitAdmission(ctx)).To(Succeed())
	},
		Entry("the public keys", configMap(keyring.PublicKeysName), `{"data":{"public.b64":"AAAA","keys.json":"[]"}}`,
			func(c map[string]string) bool {
				return c[keyring.PublicKeyBase64] == "AAAA" || c[keyring.PublicKeysJSON] == "[]"
			}),
		Entry("the certificate", secret(certs.SecretName), `{"data":{"tls.crt":"YnJva2Vu"}}`,
			func(c map[string]string) bool { return len(c[corev1.TLSCertKey]) < 100 }),
	)

	It("gets its label back, by which it is known as Latchkey's", func(ctx SpecContext) {
		for label, o := range map[string]client.Object{
			keyring.LabelPublicKeys: configMap(keyring.PublicKeysName), keyring.LabelDigestKey: secret(keyring.DigestKeyName),
		} {
			Expect(api.Patch(ctx, o, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"`+label+`":null}}}`)))).To(Succeed())
			Expect(o.GetLabels()).NotTo(HaveKey(label))
			Eventually(ctx, func() (map[string]string, error) { return o.GetLabels(), api.Get(ctx, key(o), o) }, 5*time.Second).
				Should(HaveKeyWithValue(label, "true"))
		}
	})

	It("is the same key of the digests, where another stands in its place", func(ctx SpecContext) {
		o := &corev1.Secret{ObjectMeta: at}
		o.Name = keyring.DigestKeyName
		was := contentOf(ctx, o)
		other := o.DeepCopy()
		other.ResourceVersion, other.UID = "", ""
		other.Data = map[string][]byte{"key": make([]byte, len(o.Data["key"]))}
		Eventually(ctx, func() error { // the controller may be faster with its own
			if err := client.IgnoreNotFound(api.Delete(ctx, o)); err != nil {
				return err
			}
			return api.Create(ctx, other.DeepCopy())
		}).Should(Succeed())
		Eventually(ctx, contentOf, 5*time.Second).WithArguments(o).Should(Equal(was))
	})

	It("leaves a server that starts meanwhile waiting for a moment only", func(ctx SpecContext) {
		Expect(api.Delete(ctx, secret(certs.SecretName))).To(Succeed())
		Expect(server.Restart(ctx)).To(Succeed(), "it gets ready")
		Expect(cluster.AwaitAdmission(ctx)).To(Succeed(), "the API server trusts it")
	})

	It("is made again by the next leader, if nobody was there to see it", func(ctx SpecContext) {
		for _, o := range []client.Object{secret(certs.SecretName), configMap(keyring.PublicKeysName)} {
			_, err := controller.Stop()
			Expect(err).NotTo(HaveOccurred())
			Expect(api.Delete(ctx, o)).To(Succeed())
			Expect(controller.Start(ctx)).To(Succeed())
			Eventually(ctx, contentOf).WithArguments(o).ShouldNot(BeEmpty())
		}
		Expect(cluster.AwaitAdmission(ctx)).To(Succeed())
	})

	It("writes no bundle and restarts nothing, if it is the key of the digests", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		create(ctx, framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString("one")}))
		Eventually(ctx, condition(userSecret(tenant, "token"))).Should(Equal("True Projected"))
		o := secret(keyring.DigestKeyName)
		Expect(api.Delete(ctx, o)).To(Succeed())
		Eventually(ctx, contentOf).WithArguments(o).ShouldNot(BeEmpty())
		mark, err := cluster.Audit.Now()
		Expect(err).NotTo(HaveOccurred())
		Expect(controller.Restart(ctx)).To(Succeed())
		Eventually(ctx, looks).Should(BeNumerically(">", 0))
		writes, err := cluster.Audit.Since(mark, framework.ByController, framework.Writes, framework.On("secrets"))
		Expect(err).NotTo(HaveOccurred())
		for _, w := range writes {
			Expect(w.Namespace).To(Equal(framework.SystemNamespace), w.String())
		}
	})

	It("is a Lease, and somebody holds it again at once", func(ctx SpecContext) {
		for _, name := range []string{"latchkey-server", "latchkey-controller"} {
			lease := &coordinationv1.Lease{ObjectMeta: at}
			lease.Name = name
			if apierrors.IsNotFound(api.Get(ctx, key(lease), lease)) && name == "latchkey-controller" {
				continue // a single controller does not elect
			}
			before := lease.UID
			Expect(api.Delete(ctx, lease)).To(Succeed())
			Eventually(ctx, func(g Gomega) {
				g.Expect(api.Get(ctx, key(lease), lease)).To(Succeed())
				g.Expect(lease.UID).NotTo(Equal(before))
				g.Expect(ptr.Deref(lease.Spec.HolderIdentity, "")).NotTo(BeEmpty())
			}, 10*time.Second).Should(Succeed())
		}
		tenant := newTenant(ctx)
		create(ctx, framework.UserSecret(tenant, "after", v1alpha1.UserSecretSpec{EnvName: "AFTER", Value: v1alpha1.WriteOnlyString("one")}))
		Eventually(ctx, condition(userSecret(tenant, "after"))).Should(Equal("True Projected"))
	})

	It("stays deleted, if it is a sealing key, and there is a key to seal with at once", func(ctx SpecContext) {
		store := &keyring.Store{Reader: api, Writer: api, Namespace: framework.SystemNamespace}
		saved := &corev1.SecretList{}
		Expect(api.List(ctx, saved, client.InNamespace(framework.SystemNamespace), client.HasLabels{keyring.LabelSealingKey})).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { // other specs' values are sealed with them
			for i := range saved.Items {
				saved.Items[i].ResourceVersion, saved.Items[i].UID = "", types.UID("")
				Expect(client.IgnoreAlreadyExists(api.Create(ctx, &saved.Items[i]))).To(Succeed())
			}
		})
		for i := range saved.Items {
			Expect(api.Delete(ctx, saved.Items[i].DeepCopy())).To(Succeed())
		}
		Eventually(ctx, func(g Gomega) {
			now, err := store.Load(ctx)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(now).To(HaveLen(1))
			for i := range saved.Items {
				g.Expect(saved.Items[i].Name).NotTo(HaveSuffix(now[0].ID))
			}
			published := configMap(keyring.PublicKeysName)
			g.Expect(contentOf(ctx, published)).To(HaveKeyWithValue(keyring.PublicKeyID, now[0].ID))
		}, 5*time.Second).Should(Succeed())
	})
})

// contentOf reads what a Secret or ConfigMap holds; nothing where it is not there.
func contentOf(ctx context.Context, o client.Object) map[string]string {
	found := map[string]string{}
	if err := api.Get(ctx, key(o), o); err != nil {
		return found
	}
	switch o := o.(type) {
	case *corev1.Secret:
		for name, data := range o.Data {
			found[name] = string(data)
		}
	case *corev1.ConfigMap:
		for name, text := range o.Data {
			found[name] = text
		}
	}
	return found
}
