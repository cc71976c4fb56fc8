// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// runningPod makes a pod with the variables of the bundle whose container says that it
// started so long ago: there is no kubelet here, so the spec speaks for it.
func runningPod(ctx context.Context, namespace, name string, ago time.Duration) *corev1.Pod {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app", EnvFrom: []corev1.EnvFromSource{
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: v1alpha1.BundleUserEnv}}},
		}}}},
	}
	Expect(api.Create(ctx, pod)).To(Succeed())
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "app", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(time.Now().Add(-ago))}},
	}}}
	Expect(api.Status().Update(ctx, pod)).To(Succeed())
	return pod
}

var _ = Describe("usage, wait and describe", func() {
	It("names the container that has an older value, and waits until it is gone, not before", func(ctx SpecContext) {
		ns := newTenant(ctx)
		pod := runningPod(ctx, ns, "web", 48*time.Hour)
		succeed(ctx, ns, canary+"-1", "set", "t", "--env", "T", "--wait")
		got := run(ctx, ns, canary+"-2", "set", "t", "--wait")
		Expect(got).To(Equal(result{
			stdout: "usersecret.latchkey.dev/t configured\n",
			stderr: "1 container may still have the old value. See: kubectl latchkey usage t -n " + ns + "\n",
		}))
		got = run(ctx, ns, "", "usage", "t", "--exit-code")
		Expect(got.code).To(Equal(4))
		Expect(ages.ReplaceAllString(got.stdout, " AGE")).To(Equal("changed AGE ago\n" +
			"WORKLOAD   POD   CONTAINER   AS         STATE   SINCE\n" +
			"pod/web    web   app         variable   old     2d\n" +
			"NOT SAFE to revoke: 1 container has an older value. Try: kubectl delete pod web -n " + ns + "\n" +
			"Not visible: copies made by programs, `run`, REST readers.\n"))
		got = run(ctx, ns, "", "wait", "t", "--timeout", "3s")
		Expect(got.code).To(Equal(5))
		Expect(got.stderr).To(HaveSuffix("error: after 3s: NOT SAFE to revoke: 1 container has an older value. Try: kubectl delete pod web -n " + ns + "\n"))

		ended := make(chan result)
		go func() {
			defer GinkgoRecover()
			ended <- run(ctx, ns, "", "wait", "t", "--timeout", "1m")
		}()
		Consistently(ended, 3*time.Second).ShouldNot(Receive())
		Expect(api.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		Eventually(ended).Should(Receive(&got))
		Expect(got.code).To(Equal(0))
		Expect(got.stdout).To(Equal("Safe to revoke the old value: no container uses the secret.\n"))
		Expect(succeed(ctx, ns, "", "usage", "t", "--exit-code", "-o", "json")).To(ContainSubstring(`"safe": true`))
	})

	It("sums up all secrets without a name", func(ctx SpecContext) {
		ns := newTenant(ctx)
		runningPod(ctx, ns, "web", 48*time.Hour)
		succeed(ctx, ns, canary, "set", "t", "--env", "T", "--wait")
		succeed(ctx, ns, canary, "set", "unseen", "--wait")
		got := run(ctx, ns, "", "usage", "--exit-code")
		Expect(got.code).To(Equal(4))
		Expect(got.stdout).To(MatchRegexp(`^KIND +NAME +CHANGED +CONTAINERS +OLD +UNSURE +SETTLING +SAFE
UserSecret +t +\S+ +1 +1 +0 +0 +no
UserSecret +unseen +- +0 +0 +0 +0 +yes
$`))
	})

	It("deletes when unused: disables, waits for the last container, not less, and deletes", func(ctx SpecContext) {
		ns := newTenant(ctx)
		pod := runningPod(ctx, ns, "web", 48*time.Hour)
		succeed(ctx, ns, canary, "set", "t", "--env", "T", "--wait")
		got := run(ctx, ns, "", "delete", "t", "--when-unused", "--yes", "--timeout", "3s")
		Expect(got).To(And(ends(5), notices(And(ContainSubstring("UserSecret t is disabled.\n"), ContainSubstring("Try: kubectl delete pod web"), ContainSubstring("What is disabled stays so. To take that back: kubectl latchkey enable t -n "+ns)))))
		Expect(succeed(ctx, ns, "", "list", "-o", "name")).To(Equal("usersecret.latchkey.dev/t\n"))
		Expect(projected(ctx, ns, "T")()).To(BeEmpty(), "new containers have it no more")

		ended := make(chan result)
		go func() {
			defer GinkgoRecover()
			ended <- run(ctx, ns, "", "delete", "t", "--when-unused", "--yes", "--timeout", "1m")
		}()
		Consistently(ended, 3*time.Second).ShouldNot(Receive())
		Expect(api.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		Eventually(ended).Should(Receive(&got))
		Expect(got).To(And(ends(0), prints("usersecret.latchkey.dev/t deleted\n")))
		Expect(succeed(ctx, ns, "", "list", "-o", "name")).To(BeEmpty())

		succeed(ctx, ns, canary, "agent", "set", "a", "--type", "string")
		Expect(run(ctx, ns, "", "delete", "a", "--when-unused", "--yes")).To(ends(2), "an AgentSecret cannot be disabled")
	})

	It("shows what is in the way of a secret, with its fix", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, "", "set", "t", "--env", "T", "--from", "missing/key")
		Eventually(func() string { return succeed(ctx, ns, "", "describe", "t") }).Should(ContainSubstring("SourceNotFound"))
		Expect(succeed(ctx, ns, "", "describe", "t")).To(Equal("Name:         t\n" +
			"Namespace:    " + ns + "\n" +
			"Kind:         UserSecret\n" +
			"Variable:     T (not projected)\n" +
			"Value:        from key key of Secret missing\n" +
			claims(ctx, ns, "t") +
			"State:        Not ready: SourceNotFound\n" +
			"Message:      Secret missing does not exist in this namespace: create it, or change valueFrom\n" +
			"Fix:\n" +
			"  The object becomes ready without further action when the source exists. A value that was already projected stays in the bundles until the\n" +
			"  object is deleted, disabled, or given another source or no target; the message says so, and `lastTransitionTime` says since when\n" +
			"  (why: docs/decisions/0027-what-was-projected-stays.md). With `--drop-missing-sources` it is removed at once.\n" +
			"\nUse: changed: not known, the last change is not in the bundle: SourceNotFound\n" +
			"NOT SAFE to revoke: the last change is not in the bundle: SourceNotFound.\n" +
			"Not visible: copies made by programs, `run`, REST readers.\n"))
	})
})

// claims are the lines of the claims, whose versions differ from run to run.
func claims(ctx context.Context, namespace, name string) string {
	stored := &v1alpha1.UserSecret{}
	Expect(api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, stored)).To(Succeed())
	lines := ""
	for _, c := range stored.Status.Claims {
		lines += map[v1alpha1.ClaimKind]string{v1alpha1.ClaimName: "Claims:       name ", v1alpha1.ClaimEnv: "Claims:       env "}[c.Kind] + c.Value + ", since version " + c.Since + "\n"
	}
	return lines
}
