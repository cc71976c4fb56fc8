// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/admissionport"
	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// logOf returns all that a process has printed.
func logOf(p *framework.Process) string {
	GinkgoHelper()
	text, err := os.ReadFile(p.Log())
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// change changes a Secret of Latchkey's own namespace.
func change(ctx context.Context, name string, how func(*corev1.Secret)) {
	GinkgoHelper()
	Eventually(ctx, func() error { // the controller may be writing it
		secret := &corev1.Secret{}
		if err := api.Get(ctx, client.ObjectKey{Namespace: framework.SystemNamespace, Name: name}, secret); err != nil {
			return err
		}
		how(secret)
		return api.Update(ctx, secret)
	}).Should(Succeed())
}

// age makes the path older than it is.
func age(ctx context.Context, by time.Duration) {
	GinkgoHelper()
	change(ctx, admissionport.SecretName, func(s *corev1.Secret) {
		s.Data["since"] = []byte(time.Now().Add(-by).UTC().Format(time.RFC3339))
	})
}

// answer returns how a path is answered.
func answer(ctx context.Context, path, tenant string) int {
	GinkgoHelper()
	got, err := stack.Ask(ctx, stack.Server, path, forged(tenant, v1alpha1.UserSecretSpec{Value: v1alpha1.WriteOnlyString("v")}))
	Expect(err).NotTo(HaveOccurred())
	return got.Code
}

// traffic has objects created and changed until it is stopped.
type traffic struct {
	stopping chan struct{}
	group    sync.WaitGroup
	done     atomic.Int64
	problem  atomic.Pointer[string]
}

func startTraffic(ctx context.Context, tenant string) *traffic {
	t := &traffic{stopping: make(chan struct{})}
	for worker := range 3 {
		t.group.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-t.stopping:
					return
				default:
				}
				obj := framework.UserSecret(tenant, fmt.Sprintf("w%d-%d", worker, i%10), v1alpha1.UserSecretSpec{Value: v1alpha1.WriteOnlyString(fmt.Sprint("v", i))})
				err := api.Create(ctx, obj, client.DryRunAll)
				if err != nil {
					t.problem.CompareAndSwap(nil, ptr.To(err.Error()))
				}
				t.done.Add(1)
			}
		})
	}
	return t
}

// more waits until a good deal more has been admitted, and fails where something was
// not.
func (t *traffic) more(ctx context.Context) {
	GinkgoHelper()
	now := t.done.Load()
	Eventually(ctx, t.done.Load).Should(BeNumerically(">", now+50))
	if problem := t.problem.Load(); problem != nil {
		Fail("not admitted: " + *problem)
	}
}

func (t *traffic) stop(ctx context.Context) {
	GinkgoHelper()
	t.more(ctx)
	close(t.stopping)
	t.group.Wait()
}

var _ = Describe("Somebody who came to know the admission path", Ordered, func() {
	It("is locked out by two rotations, in which no admission fails", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		work := startTraffic(ctx, tenant)
		first := pathOf(ctx, hookName)
		work.more(ctx)

		By("the path is an hour old")
		age(ctx, time.Hour+time.Minute)
		Eventually(ctx, func() string { return pathOf(ctx, hookName) }).ShouldNot(Equal(first))
		second := pathOf(ctx, hookName)
		work.more(ctx)
		Expect(answer(ctx, first, tenant)).To(Equal(http.StatusOK), "an API server may still use it")
		Expect(answer(ctx, second, tenant)).To(Equal(http.StatusOK))

		By("the certificate is renewed")
		age(ctx, 2*time.Minute)
		change(ctx, certs.SecretName, func(s *corev1.Secret) { delete(s.Data, corev1.TLSCertKey) })
		Eventually(ctx, func() string { return pathOf(ctx, hookName) }).ShouldNot(Equal(second))
		third := pathOf(ctx, hookName)
		work.more(ctx)
		Expect(answer(ctx, first, tenant)).To(Equal(http.StatusNotFound), "it is two rotations old")
		Expect(answer(ctx, second, tenant)).To(Equal(http.StatusOK))
		Expect(answer(ctx, third, tenant)).To(Equal(http.StatusOK))
		for _, webhook := range []string{"agentsecrets.latchkey.dev", "pods.latchkey.dev"} {
			Expect(strings.Split(pathOf(ctx, webhook), "/")[1]).To(Equal(strings.Split(third, "/")[1]), webhook)
		}

		By("the manifests are applied again, as an upgrade does")
		Expect(stack.RestoreWebhooks(ctx)).To(Succeed())
		work.more(ctx)
		Expect(pathOf(ctx, hookName)).To(Equal(third), "an upgrade leaves it")

		By("the Secret is deleted")
		Expect(api.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: framework.SystemNamespace, Name: admissionport.SecretName}})).To(Succeed())
		Eventually(ctx, func() string { return pathOf(ctx, hookName) }).ShouldNot(Equal(third))
		work.stop(ctx)
		Expect(answer(ctx, second, tenant)).To(Equal(http.StatusNotFound))
	})

	It("is put right within seconds where somebody writes another path", func(ctx SpecContext) {
		right := pathOf(ctx, hookName)
		for _, wrong := range []*string{nil, ptr.To("/admit-usersecret"), ptr.To("/elsewhere/admit-usersecret")} {
			configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
			Eventually(ctx, func() error { // the controllers may be writing it
				if err := api.Get(ctx, client.ObjectKey{Name: certs.WebhookConfiguration}, configuration); err != nil {
					return err
				}
				configuration.Webhooks[0].ClientConfig.Service.Path = wrong
				return api.Update(ctx, configuration)
			}).Should(Succeed())
			Eventually(ctx, func() (string, error) { return stack.HookPath(ctx, configuration.Webhooks[0].Name) }).WithTimeout(10 * time.Second).
				Should(Equal(right))
		}
		Expect(stack.AwaitAdmission(ctx)).To(Succeed())
	})
})

var _ = Describe("With a CA of the API server's certificate", func() {
	It("nobody else can connect, the path or not", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		Expect(stack.Server.Restart(ctx, "--admission-client-ca="+stack.WebhookClientCA())).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(stack.Server.Restart(ctx)).To(Succeed())
			Expect(stack.AwaitAdmission(ctx)).To(Succeed())
		})
		By("control: the API server presents its certificate")
		Expect(stack.AwaitAdmission(ctx)).To(Succeed())

		_, err := stack.Ask(ctx, stack.Server, pathOf(ctx, hookName), forged(tenant, v1alpha1.UserSecretSpec{}))
		Expect(err).To(MatchError(ContainSubstring("certificate required")))

		By("a certificate of another CA")
		mine, err := stack.WebhookClient()
		Expect(err).NotTo(HaveOccurred())
		authority, err := os.ReadFile(stack.WebhookClientCA())
		Expect(err).NotTo(HaveOccurred())
		other, err := os.ReadFile(filepath.Join(stack.Dir, "front-proxy-ca.crt"))
		Expect(err).NotTo(HaveOccurred())
		file := filepath.Join(stack.Dir, "changing-ca.crt")
		Expect(os.WriteFile(file, other, 0o600)).To(Succeed())
		replica, err := stack.Cluster.Server("guarded", "--admission-client-ca="+file)
		Expect(err).NotTo(HaveOccurred())
		Expect(replica.Start(ctx)).To(Succeed())
		DeferCleanup(replica.Stop)
		knock := func() (int, error) {
			got, err := stack.Knock(ctx, replica, http.MethodPost, pathOf(ctx, hookName), strings.NewReader("{}"), mine)
			return got.Code, err
		}
		_, err = knock()
		Expect(err).To(MatchError(ContainSubstring("tls: ")))
		By("control: the file changes, and the same certificate is taken")
		Expect(os.WriteFile(file, authority, 0o600)).To(Succeed())
		Eventually(ctx, knock).Should(Equal(http.StatusOK))
	})
})
