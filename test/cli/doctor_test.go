// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// unwell returns what doctor does not find well, a line for each: the check, the state
// and what was seen.
func unwell(ctx context.Context, namespace string, args ...string) []string {
	GinkgoHelper()
	got := run(ctx, namespace, "", append([]string{"doctor", "-o", "json"}, args...)...)
	var answer struct {
		Healthy, Complete bool
		System, Tenant    []struct{ Check, State, Text, Fix, Needs string }
	}
	Expect(json.Unmarshal([]byte(got.stdout), &answer)).To(Succeed(), got.stdout+got.stderr)
	Expect(got.code).To(Equal(map[bool]int{true: 0, false: 4}[answer.Healthy]))
	lines, unseen := []string{}, 0
	for _, f := range append(answer.System, answer.Tenant...) {
		if f.State != "ok" {
			lines = append(lines, f.Check+" "+f.State+": "+f.Text)
		}
		Expect(f.State == "failed" && f.Fix == "").To(BeFalse(), "%s has no command", f.Check)
		Expect(f.State == "unknown" && f.Needs == "").To(BeFalse(), "%s names no right", f.Check)
		if f.State == "unknown" {
			unseen++
		}
	}
	Expect(answer.Complete).To(Equal(unseen == 0))
	return lines
}

// finding matches a line of unwell.
func finding(text string) types.GomegaMatcher { return ContainElement(HavePrefix(text)) }

// kubectl runs kubectl as the administrator.
func kubectl(ctx context.Context, args ...string) {
	GinkgoHelper()
	_, err := cluster.Kubectl.Run(ctx, "", args...)
	Expect(err).NotTo(HaveOccurred())
}

// inSystem runs kubectl in Latchkey's own namespace.
func inSystem(ctx context.Context, args ...string) {
	GinkgoHelper()
	kubectl(ctx, append([]string{"-n", framework.SystemNamespace}, args...)...)
}

// deployed makes Latchkey's Deployments, of which the real ones are not here, and says
// what the Deployments' controller would say.
func deployed(ctx context.Context) {
	GinkgoHelper()
	for _, name := range []string{"latchkey-controller", "latchkey-server"} {
		app := map[string]string{"app": name}
		replicas := int32(2)
		d := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: framework.SystemNamespace, Name: name},
			Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: app}, Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: app}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "latchkey"}}},
			}},
		}
		Expect(api.Create(ctx, d)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(api.Delete(ctx, d)).To(Succeed()) })
		available(ctx, name, 2)
	}
}

func available(ctx context.Context, name string, replicas int32) {
	GinkgoHelper()
	d := &appsv1.Deployment{}
	Expect(api.Get(ctx, client.ObjectKey{Namespace: framework.SystemNamespace, Name: name}, d)).To(Succeed())
	d.Status.Replicas, d.Status.AvailableReplicas, d.Status.ReadyReplicas = 2, replicas, replicas
	Expect(api.Status().Update(ctx, d)).To(Succeed())
}

// Each spec breaks the installation in one way, and mends it.
var _ = Describe("doctor --system", Serial, Ordered, func() {
	var ns string
	BeforeAll(func(ctx SpecContext) {
		// What other specs left behind is not well, and would be named.
		noSecrets(ctx)
		ns = newUser(ctx)
		succeed(ctx, ns, canary, "set", "t", "--env", "T", "--wait")
		deployed(ctx)
		backUp(ctx)
	})
	// withoutController breaks what the controller would mend at once.
	withoutController := func(ctx context.Context, change func()) {
		GinkgoHelper()
		_, err := stack.Controller.Stop()
		Expect(err).NotTo(HaveOccurred())
		change()
		DeferCleanup(func(ctx SpecContext) {
			Expect(stack.Controller.Start(ctx)).To(Succeed())
			Expect(cluster.AwaitAdmission(ctx)).To(Succeed())
			Eventually(ctx, func() []string { return unwell(ctx, ns) }, time.Minute).Should(BeEmpty(), "it is mended")
		})
	}
	nobodyLeads := "Leader failed: no controller leads, so nothing is reconciled: nobody holds Lease latchkey-controller"

	It("finds nothing wrong where nothing is, and says what it looked at", func(ctx SpecContext) {
		Eventually(ctx, func() []string { return unwell(ctx, ns) }).Should(BeEmpty())
		got := run(ctx, ns, "", "doctor")
		Expect(got.code).To(Equal(0))
		Expect(got.stdout).To(And(
			HavePrefix("Installation in namespace latchkey-system\n  ✓ Kubernetes             v1."),
			ContainSubstring("\n  ✓ API                    latchkey.dev/v1alpha1 is served\n"),
			ContainSubstring("\n  ✓ CRDs                   both are established\n"),
			ContainSubstring("\nNamespace "+ns+"\n  ✓ Labels                 it is user "+ns+"\n"),
			ContainSubstring("\n  ✓ Dry run                you may create secrets, admission answers, and the published key opens\n"),
			HaveSuffix("\nNothing is wrong.\n"), Not(ContainSubstring("\x1b"))))
		Expect(succeed(ctx, ns, "", "doctor", "--system")).NotTo(ContainSubstring("Namespace " + ns))
		Expect(succeed(ctx, ns, "", "doctor", "--tenant")).NotTo(ContainSubstring("Installation"))
		list := &v1alpha1.UserSecretList{}
		Expect(api.List(ctx, list, client.InNamespace(ns))).To(Succeed())
		Expect(list.Items).To(HaveLen(1), "dry runs store nothing")
	})

	It("shows what it found, with a command for each fault, and a right for what it could not see", func(ctx SpecContext) {
		t := &transcript{namespace: ns}
		t.hide(ns, "NS")
		Eventually(ctx, func() []string { return unwell(ctx, ns) }).Should(BeEmpty())
		t.run(ctx, "", "doctor")
		t.run(ctx, "", "doctor", "--tenant", "-o", "yaml")
		t.run(ctx, "", "doctor", "--as", "nobody")
		available(ctx, "latchkey-server", 0)
		available(ctx, "latchkey-controller", 1)
		t.run(ctx, "", "doctor", "--system")
		available(ctx, "latchkey-server", 2)
		t.run(ctx, "", "doctor", "--system", "-o", "json")
		available(ctx, "latchkey-controller", 2)
		t.run(ctx, "", "doctor", "everything")
		t.is("doctor")
	})

	It("does not fail for what is only worth a look", func(ctx SpecContext) {
		available(ctx, "latchkey-server", 1)
		DeferCleanup(func(ctx SpecContext) { available(ctx, "latchkey-server", 2) })
		Expect(run(ctx, ns, "", "doctor")).To(And(ends(0), prints(And(
			ContainSubstring("\n  ! Deployments            1 of 2 replicas of latchkey-server are available\n"), HaveSuffix("\nNothing is wrong.\n")))))
	})

	It("names a CRD that does not serve its version", func(ctx SpecContext) {
		serve := func(ctx context.Context, served string) {
			kubectl(ctx, "patch", "crd", "agentsecrets.latchkey.dev", "--type=json", "-p", `[{"op":"replace","path":"/spec/versions/0/served","value":`+served+`}]`)
		}
		serve(ctx, "false")
		DeferCleanup(func(ctx SpecContext) {
			serve(ctx, "true")
			Eventually(ctx, func() []string { return unwell(ctx, ns) }, time.Minute).Should(BeEmpty(), "it is mended")
		})
		Eventually(ctx, func() []string { return unwell(ctx, ns, "--system") }).Should(And(
			finding("CRDs failed: agentsecrets.latchkey.dev does not serve v1alpha1"),
			finding("API failed: the cluster does not serve agentsecrets of latchkey.dev/v1alpha1")))
	})

	It("names missing webhooks, and that admission is not asked", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) { Expect(cluster.RestoreWebhooks(ctx)).To(Succeed()) })
		Expect(cluster.RemoveWebhooks(ctx)).To(Succeed())
		Expect(unwell(ctx, ns)).To(ConsistOf(
			HavePrefix("Webhooks failed: MutatingWebhookConfiguration latchkey is missing"),
			HavePrefix("Dry run failed: admission is not asked")))
	})

	It("names an empty caBundle, one of another authority, and a missing path", func(ctx SpecContext) {
		const noSecret = "Dry run failed: a secret cannot be created: "
		const foreignCA = noSecret + "the caBundle of the webhook is not that of the server"
		hook := "/webhooks/0/clientConfig/"
		withoutController(ctx, func() {
			for _, broken := range []struct {
				patch string
				want  []types.GomegaMatcher
			}{
				{fmt.Sprintf(`{"op":"replace","path":"%scaBundle","value":%q}`, hook, base64.StdEncoding.EncodeToString(cluster.Config.CAData)),
					[]types.GomegaMatcher{finding(foreignCA)}},
				{`{"op":"remove","path":"` + hook + `caBundle"}`,
					[]types.GomegaMatcher{finding(foreignCA), finding("Webhooks failed: the caBundle of usersecrets.latchkey.dev is empty")}},
			} {
				kubectl(ctx, "patch", "mutatingwebhookconfiguration", "latchkey", "--type=json", "-p", "["+broken.patch+"]")
				Eventually(ctx, func() []string { return unwell(ctx, ns) }).Should(And(broken.want...))
			}
		})
	})

	It("names a webhook without the path that the server has", func(ctx SpecContext) {
		withoutController(ctx, func() {
			kubectl(ctx, "patch", "mutatingwebhookconfiguration", "latchkey", "--type=json", "-p", `[{"op":"remove","path":"/webhooks/0/clientConfig/service/path"}]`)
			Eventually(ctx, func() []string { return unwell(ctx, ns) }).Should(ConsistOf(
				HavePrefix(nobodyLeads), HavePrefix("Webhooks failed: usersecrets.latchkey.dev has no path"),
				HavePrefix("Dry run failed: a secret cannot be created: the path of the webhook is not that of the server")))
		})
	})

	It("names APIServices that are missing, unregistered or not trusted", func(ctx SpecContext) {
		const golem = "v1.golem.latchkey.dev"
		withoutController(ctx, func() {
			kubectl(ctx, "patch", "apiservice", golem, "--type=json", "-p", `[{"op":"remove","path":"/spec/caBundle"}]`)
			Eventually(ctx, func() []string { return unwell(ctx, ns) }).Should(ConsistOf(HavePrefix(nobodyLeads), HavePrefix("APIServices failed: v1.golem.latchkey.dev is not available: ")))
			kubectl(ctx, "delete", "apiservice", golem)
			Expect(unwell(ctx, ns)).To(ConsistOf(HavePrefix(nobodyLeads), Equal("APIServices failed: v1.golem.latchkey.dev is missing")))
			inSystem(ctx, "create", "configmap", "latchkey-unregistered-apis", "--from-literal="+golem+"={}")
			Expect(unwell(ctx, ns)).To(ConsistOf(HavePrefix(nobodyLeads), Equal("APIServices failed: v1.golem.latchkey.dev is unregistered, since no server is ready")))
			inSystem(ctx, "delete", "configmap", "latchkey-unregistered-apis")
			Expect(cluster.RestoreManifests(ctx)).To(Succeed())
		})
	})

	It("names Deployments that are missing, scaled to nothing, or not available", func(ctx SpecContext) {
		available(ctx, "latchkey-server", 1)
		Expect(unwell(ctx, ns)).To(ConsistOf("Deployments warning: 1 of 2 replicas of latchkey-server are available"))
		available(ctx, "latchkey-server", 0)
		Expect(unwell(ctx, ns)).To(ConsistOf("Deployments failed: no replica of latchkey-server is available"))
		inSystem(ctx, "scale", "deployment", "latchkey-server", "--replicas=0")
		Expect(unwell(ctx, ns)).To(ConsistOf("Deployments failed: latchkey-server is scaled to nothing"))
		inSystem(ctx, "scale", "deployment", "latchkey-server", "--replicas=2")
		available(ctx, "latchkey-server", 2)
		inSystem(ctx, "set", "image", "deployment", "latchkey-server", "main=latchkey:next")
		Expect(unwell(ctx, ns)).To(ConsistOf("Deployments warning: controller and server run different images: latchkey, latchkey:next"))
		inSystem(ctx, "set", "image", "deployment", "latchkey-server", "main=latchkey")
		Expect(unwell(ctx, ns)).To(BeEmpty())
	})

	It("names a server that does not run", func(ctx SpecContext) {
		_, err := stack.Server.Stop()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			Expect(stack.Server.Start(ctx)).To(Succeed())
			Expect(cluster.AwaitAdmission(ctx)).To(Succeed())
			Eventually(ctx, func() []string { return unwell(ctx, ns) }, time.Minute).Should(BeEmpty(), "it is mended")
		})
		Eventually(ctx, func() []string { return unwell(ctx, ns) }, 30*time.Second).Should(And(
			finding("Leader failed: no server answers REST: nobody holds Lease latchkey-server"),
			finding("APIServices failed: "),
			finding("Dry run failed: a secret cannot be created: no server listens")))
	})

	It("names a key that is too old, and one that is not published", func(ctx SpecContext) {
		newest := newestKey(ctx)
		secret := framework.Secret(framework.SystemNamespace, "latchkey-key-"+newest, nil)
		Expect(api.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
		created := secret.Annotations[v1alpha1.AnnotationCreated]
		withoutController(ctx, func() {
			old := time.Now().Add(-40 * 24 * time.Hour).Format(time.RFC3339Nano)
			inSystem(ctx, "delete", "secret", "--selector", v1alpha1.LabelSealingKey, "--field-selector", "metadata.name!="+secret.Name)
			inSystem(ctx, "annotate", "secret", secret.Name, "--overwrite", v1alpha1.AnnotationCreated+"="+old)
			Eventually(ctx, func() []string { return unwell(ctx, ns) }).Should(ConsistOf(HavePrefix(nobodyLeads),
				Equal("Sealing keys failed: the newest, "+newest+", is 40 days old and should have had a successor after 30 days")))
			inSystem(ctx, "annotate", "secret", secret.Name, "--overwrite", v1alpha1.AnnotationCreated+"="+created)
			inSystem(ctx, "annotate", "secret", secret.Name, v1alpha1.AnnotationBackedUp+"-")
			Expect(unwell(ctx, ns)).To(ConsistOf(HavePrefix(nobodyLeads), HavePrefix("Backup warning: no backup by this plugin has "+newest)))
			inSystem(ctx, "annotate", "secret", secret.Name, v1alpha1.AnnotationBackedUp+"="+time.Now().UTC().Format(time.RFC3339))
			inSystem(ctx, "delete", "configmap", keyring.PublicKeysName)
			Expect(unwell(ctx, ns)).To(ConsistOf(HavePrefix(nobodyLeads), HavePrefix("Public keys failed: ConfigMap latchkey-public-keys is not in namespace"),
				HavePrefix("Dry run failed: there is nothing to seal with")))
		})
	})

	It("names values whose key is lost", func(ctx SpecContext) {
		lost := newestKey(ctx)
		secret := framework.Secret(framework.SystemNamespace, "latchkey-key-"+lost, nil)
		Expect(api.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
		again := secret.DeepCopy()
		again.ResourceVersion, again.UID = "", ""
		DeferCleanup(func(ctx SpecContext) {
			Expect(api.Create(ctx, again)).To(Succeed())
			backUp(ctx)
			Eventually(ctx, func() []string { return unwell(ctx, ns) }, time.Minute).Should(BeEmpty(), "it is mended")
		})
		// A controller that knows the key can seal the value with the next one before it forgets it.
		_, err := stack.Controller.Stop()
		Expect(err).NotTo(HaveOccurred())
		Expect(api.Delete(ctx, secret)).To(Succeed())
		Expect(stack.Controller.Start(ctx)).To(Succeed())
		Eventually(ctx, func() []string { return unwell(ctx, ns) }, time.Minute).Should(
			finding("Lost keys failed: 1 value cannot be opened, since the key is gone: " + ns + "/t"))
	})

	It("names a server of the version before, and goes on", func(ctx SpecContext) {
		withoutController(ctx, func() {
			inSystem(ctx, "patch", "configmap", keyring.PublicKeysName, "--type=json", "-p", `[{"op":"remove","path":"/data/limits.json"},{"op":"remove","path":"/data/version"},{"op":"remove","path":"/data/keys.json"}]`)
			Expect(unwell(ctx, ns)).To(ConsistOf(HavePrefix(nobodyLeads), HavePrefix("Versions warning: ConfigMap latchkey-public-keys has no limits.json and no version")))
		})
	})

	It("names each right that is missing, and finds nothing wrong", func(ctx SpecContext) {
		lines := unwell(ctx, ns, "--as", "nobody")
		Expect(lines).To(HaveEach(MatchRegexp(`^[\w /.]+ unknown: you may not \w+ \S+`)))
		Expect(strings.Join(lines, "\n")).To(And(
			ContainSubstring("Webhooks unknown: you may not get mutatingwebhookconfigurations.admissionregistration.k8s.io in the whole cluster"),
			ContainSubstring("Sealing keys unknown: you may not list secrets in namespace latchkey-system"),
			ContainSubstring("Dry run unknown: you may not create usersecrets.latchkey.dev in namespace "+ns)))
		Expect(run(ctx, ns, "", "doctor", "--as", "nobody")).To(And(ends(0), prints(MatchRegexp(`Nothing is wrong in what could be seen\. \d+ checks could not be made, since a right is missing\. `+
			`An administrator of the cluster has all of them: kubectl latchkey doctor -n `+ns+`\n$`))))
	})
})

// backUp writes a backup of the keys, which marks them.
func backUp(ctx context.Context) {
	GinkgoHelper()
	_, recipient := ageIdentity()
	succeed(ctx, "default", "", "keys", "backup", "--recipient", recipient, "-O", filepath.Join(cluster.Dir, "keys-"+strconv.FormatInt(time.Now().UnixNano(), 36)+".age"))
}
