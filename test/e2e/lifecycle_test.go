// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/test/conformance"
)

// The life of a release: removed and installed again, lost and restored, upgraded. A user
// and an environment live through all of it. Each spec leaves what the next one needs.
var _ = Describe("A release", Ordered, func() {
	var user conformance.Account
	var before *corev1.Pod

	BeforeAll(func(ctx SpecContext) {
		if ours == nil {
			Skip("Latchkey was installed by somebody else, who would not want it removed")
		}
		user = newUser(ctx, "release", labels{v1alpha1.LabelEnvironment: tenantName("release")})
		userSecret(ctx, user.Namespace, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", FilePath: "~/token", Value: value("token")})
		apply(ctx, fmt.Sprintf(`
apiVersion: latchkey.dev/v1alpha1
kind: AgentSecret
metadata: {name: port, namespace: %s}
spec: {path: [port], secretType: {type: U16}, value: 587}
`, user.Namespace))
		awaitReady(ctx, &v1alpha1.AgentSecret{ObjectMeta: metav1.ObjectMeta{Namespace: user.Namespace, Name: "port"}})
		before = newPod(ctx, user.Namespace, "before", newSpec(), nil)
		awaitPod(ctx, before)
	})

	It("serves those whom the README labels", func(ctx SpecContext) {
		alice := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "alice"}}
		Expect(client.IgnoreAlreadyExists(api.Create(ctx, alice))).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(api.Delete(ctx, alice)).To(Succeed()) })
		for _, command := range ours.commands[1] {
			ours.run(ctx, command)
		}
		Expect(api.Get(ctx, client.ObjectKeyFromObject(alice), alice)).To(Succeed())
		Expect(alice.Labels).To(HaveKeyWithValue(v1alpha1.LabelUser, "alice"))
		Expect(alice.Labels).To(HaveKeyWithValue(v1alpha1.LabelInjection, "enabled"))
	})

	It("that is uninstalled leaves objects, keys and Secrets, and nothing that stands in the way", func(ctx SpecContext) {
		held := bundles(ctx, user.Namespace)
		Expect(held).To(HaveLen(4))
		began := time.Now()
		ours.run(ctx, ours.command("helm uninstall"))
		report("helm uninstall", time.Since(began))

		Expect(api.Get(ctx, client.ObjectKey{Namespace: user.Namespace, Name: "token"}, &v1alpha1.UserSecret{})).To(Succeed())
		Expect(api.Get(ctx, client.ObjectKey{Namespace: user.Namespace, Name: "port"}, &v1alpha1.AgentSecret{})).To(Succeed())
		Expect(bundles(ctx, user.Namespace)).To(Equal(held))
		Expect(keys(ctx)).NotTo(BeEmpty())
		Expect(api.Get(ctx, client.ObjectKey{Name: certs.WebhookConfiguration}, &admissionregistrationv1.MutatingWebhookConfiguration{})).
			To(MatchError(apierrors.IsNotFound, "is gone"))
		for _, name := range apiServices {
			Expect(availability(ctx, name)).To(Equal("gone"))
		}
		victim := newNamespace(ctx, "after-uninstall")
		began = time.Now()
		Expect(api.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: victim.Namespace}})).To(Succeed())
		Eventually(ctx, func(ctx context.Context) error {
			return api.Get(ctx, client.ObjectKey{Name: victim.Namespace}, &corev1.Namespace{})
		}).Should(MatchError(apierrors.IsNotFound, "is gone"))
		report("deletion of a namespace after the uninstall", time.Since(began))
		// Running pods keep what they have, and new ones start.
		Expect(in(ctx, before, "cat", userDir+"/token")).To(Equal(canary + "token"))
		during := newPod(ctx, user.Namespace, "during", newSpec(), nil)
		awaitPod(ctx, during)
		Expect(variables(ctx, during, "main")).NotTo(HaveKey("TOKEN"))
	})

	It("that is installed again takes everything up", func(ctx SpecContext) {
		ours.run(ctx, ours.command("helm install"))
		awaitLatchkey(ctx)
		Expect(knock(ctx)).To(Succeed())
		lives(ctx, user, before, "reinstalled")
	})

	It("whose namespace is lost is restored from a backup of the keys", func(ctx SpecContext) {
		folder := GinkgoT().TempDir()
		backup := func(file string, args ...string) {
			GinkgoHelper()
			text := run(ctx, append([]string{"get", "--output", "yaml"}, args...)...)
			Expect(os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600)).To(Succeed())
		}
		backup("keys.yaml", "--namespace", systemNamespace, "secrets", "--selector", "latchkey.dev/sealing-key")
		backup("objects.yaml", "--namespace", user.Namespace, "usersecrets,agentsecrets")

		By("losing the namespace and the objects")
		run(ctx, "--namespace", systemNamespace, "delete", "deployments", "--all") // first, or the controller puts back what comes next
		run(ctx, "--namespace", systemNamespace, "delete", "pods", "--all", "--grace-period=1")
		run(ctx, append([]string{"delete", "apiservice", "--ignore-not-found"}, apiServices...)...) // nobody is left who would
		run(ctx, "delete", "mutatingwebhookconfiguration", certs.WebhookConfiguration)
		run(ctx, "delete", "namespace", systemNamespace, "--timeout=120s")
		run(ctx, "--namespace", user.Namespace, "delete", "usersecrets,agentsecrets", "--all")
		held := bundles(ctx, user.Namespace)
		Expect(held).To(HaveLen(4), "with no controller, nobody takes values away")

		By("restoring them")
		for _, command := range ours.commands[0] {
			if !strings.HasPrefix(command, "helm ") {
				ours.run(ctx, command)
			}
		}
		began := time.Now()
		run(ctx, "create", "--filename", filepath.Join(folder, "keys.yaml"))
		run(ctx, "create", "--filename", filepath.Join(folder, "objects.yaml"))
		ours.run(ctx, strings.Replace(ours.command("helm install"), "charts/latchkey", previousChart(), 1))
		awaitLatchkey(ctx)
		Expect(bundles(ctx, user.Namespace)).To(Equal(held))
		Expect(knock(ctx)).To(Succeed())
		lives(ctx, user, before, "restored")
		report("from the restored keys to values that open", time.Since(began))
	})

	It("is upgraded from the previous commit's while it is used", func(ctx SpecContext) {
		t := startTraffic(ctx, "upgraded", 4)
		began := time.Now()
		ours.run(ctx, ours.command("helm upgrade"))
		report("helm upgrade from "+previousChart(), time.Since(began))
		awaitLatchkey(ctx)
		t.end(ctx, "helm upgrade", 0)
		lives(ctx, user, before, "upgraded")
	})
})

// previousChart is the chart to upgrade from: the previous commit's, which E2E_PREVIOUS
// names, or else this one.
func previousChart() string { return valueOr(os.Getenv("E2E_PREVIOUS"), "charts/latchkey") }

// bundles returns the content of a tenant's native Secrets.
func bundles(ctx context.Context, namespace string) map[string]map[string][]byte {
	GinkgoHelper()
	list := &corev1.SecretList{}
	Expect(api.List(ctx, list, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelBundle})).To(Succeed())
	found := map[string]map[string][]byte{}
	for i := range list.Items {
		found[list.Items[i].Name] = list.Items[i].Data
	}
	return found
}

// lives checks that Latchkey opens a user's values, puts them into new pods, and changes
// them in running ones. What is a word for the occasion.
func lives(ctx context.Context, user conformance.Account, running *corev1.Pod, what string) {
	GinkgoHelper()
	awaitReady(ctx, &v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{Namespace: user.Namespace, Name: "token"}})
	awaitReady(ctx, &v1alpha1.AgentSecret{ObjectMeta: metav1.ObjectMeta{Namespace: user.Namespace, Name: "port"}})
	pod := newPod(ctx, user.Namespace, what, newSpec(), nil)
	awaitPod(ctx, pod)
	had := in(ctx, running, "cat", userDir+"/token")
	Expect(in(ctx, pod, "cat", "/root/token")).To(Equal(had))
	Expect(in(ctx, pod, "cat", agentDir+"/secrets.json")).To(MatchJSON(`{"port": 587}`))
	setValue(ctx, user.Namespace, "token", what)
	for _, p := range []*corev1.Pod{running, pod} {
		Eventually(ctx, reading(p, userDir+"/token"), 2*time.Minute).Should(Equal(canary + what))
	}
	Expect(api.Delete(ctx, pod)).To(Succeed())
}
