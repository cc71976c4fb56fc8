// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
)

const (
	userDir = "/run/latchkey/user"
	home    = "/home/app" // of the image's user 1000, and writable by nobody else
)

// One user, three ways to create a secret, one Deployment.
var _ = Describe("A user's Deployment", Ordered, func() {
	var user conformance.Account
	var pod *corev1.Pod

	BeforeAll(func(ctx SpecContext) {
		user = newUser(ctx, "user")
		post(ctx, direct, user, "by-port", "BY_PORT", "~/.config/by-port/token")
		post(ctx, aggregated, user, "by-cluster", "BY_CLUSTER", "/srv/by-cluster")
		apply(ctx, fmt.Sprintf(`
apiVersion: latchkey.dev/v1alpha1
kind: UserSecret
metadata: {name: by-kubectl, namespace: %s}
spec: {envName: BY_KUBECTL, filePath: ~/by-kubectl, value: %sby-kubectl}
`, user.Namespace, canary))
		userSecret(ctx, user.Namespace, "contested", v1alpha1.UserSecretSpec{EnvName: "CONTESTED", Value: value("contested")})
		no := false
		create(ctx, &v1alpha1.UserSecret{
			ObjectMeta: metav1.ObjectMeta{Namespace: user.Namespace, Name: "off"},
			Spec:       v1alpha1.UserSecretSpec{EnvName: "OFF", FilePath: "~/off", Enabled: &no, Value: value("off")},
		})
		for _, name := range []string{"by-port", "by-cluster", "by-kubectl"} {
			awaitReady(ctx, &v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{Namespace: user.Namespace, Name: name}})
		}
		deployment := newDeployment(ctx, user.Namespace, "web", newSpec(as(1000, 2000, home), func(s *corev1.PodSpec) {
			main := &s.Containers[0]
			main.Env = append(main.Env, corev1.EnvVar{Name: "CONTESTED", Value: "the pod's own"})
		}))
		DeferCleanup(func(ctx SpecContext) { Expect(api.Delete(ctx, deployment)).To(Succeed()) })
		pod = podOf(ctx, user.Namespace, "web")
	})

	It("has the secrets as variables, and its own win", func(ctx SpecContext) {
		env := variables(ctx, pod, "main")
		for name, want := range map[string]string{
			"BY_PORT": canary + "by-port", "BY_CLUSTER": canary + "by-cluster", "BY_KUBECTL": canary + "by-kubectl",
			"CONTESTED": "the pod's own",
		} {
			Expect(env).To(HaveKeyWithValue(name, want))
		}
		Expect(env).NotTo(HaveKey("OFF"))
	})

	It("has the secrets as files, which its user can read and not write", func(ctx SpecContext) {
		for path, want := range map[string]string{
			home + "/.config/by-port/token": "by-port",
			"/srv/by-cluster":               "by-cluster",
			home + "/by-kubectl":            "by-kubectl",
			userDir + "/by-port":            "by-port",
			userDir + "/by-cluster":         "by-cluster",
			userDir + "/by-kubectl":         "by-kubectl",
		} {
			Expect(in(ctx, pod, "cat", path)).To(Equal(canary+want), path)
			Expect(mode(ctx, pod, path)).To(Equal("440 0:2000"), path)
			_, err := tryIn(ctx, pod, "main", "sh", "-c", "echo x > "+path)
			Expect(err).To(HaveOccurred(), path)
		}
		Expect(in(ctx, pod, "ls", userDir)).To(Equal("by-cluster\nby-kubectl\nby-port"))
		Expect(in(ctx, pod, "id", "-u")).To(Equal("1000"))
		_, err := tryIn(ctx, pod, "main", "stat", home+"/off")
		Expect(err).To(HaveOccurred(), "a disabled secret has no file")
	})

	It("sees a new value in the live directory, without a restart", func(ctx SpecContext) {
		changed := time.Now()
		answer := ask(ctx, direct, user, http.MethodPatch, mySecrets(direct, "by-port"), fmt.Sprintf(`{"value":"%schanged"}`, canary))
		Expect(answer.Status).To(Equal(http.StatusOK), string(answer.Body))
		Eventually(ctx, reading(pod, userDir+"/by-port"), 2*time.Minute).Should(Equal(canary + "changed"))
		report("a value changed through REST, until the running container reads it", time.Since(changed))
		Expect(in(ctx, pod, "cat", home+"/.config/by-port/token")).To(Equal(canary+"by-port"), "the exact path is as of the start")
		Expect(api.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
		Expect(pod.Status.ContainerStatuses[0].RestartCount).To(BeZero())
	})

	It("sees secrets come and go in the live directory", func(ctx SpecContext) {
		began := time.Now()
		post(ctx, aggregated, user, "late", "LATE", "~/late")
		answer := ask(ctx, direct, user, http.MethodDelete, mySecrets(direct, "by-cluster"), "")
		Expect(answer.Status).To(Equal(http.StatusNoContent), string(answer.Body))
		Eventually(ctx, func(ctx context.Context) (string, error) {
			return tryIn(ctx, pod, "main", "ls", userDir)
		}, 2*time.Minute).Should(Equal("by-kubectl\nby-port\nlate"))
		report("a secret created and one deleted through REST, until the running container sees both", time.Since(began))
		Expect(in(ctx, pod, "cat", userDir+"/late")).To(Equal(canary + "late"))
		Expect(in(ctx, pod, "cat", "/srv/by-cluster")).To(Equal(canary+"by-cluster"), "the exact path is as of the start")
	})

	It("has everything again when its container restarts", func(ctx SpecContext) {
		restarts := pod.Status.ContainerStatuses[0].RestartCount
		end(ctx, pod)
		Eventually(ctx, func(g Gomega) {
			g.Expect(api.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
			g.Expect(pod.Status.ContainerStatuses[0].RestartCount).To(BeEquivalentTo(restarts + 1))
			g.Expect(isReady(pod)).To(BeTrue(), describe(pod))
		}).Should(Succeed())
		env := variables(ctx, pod, "main")
		Expect(env).To(HaveKeyWithValue("BY_PORT", canary+"changed"))
		Expect(env).To(HaveKeyWithValue("LATE", canary+"late"))
		Expect(env).NotTo(HaveKey("BY_CLUSTER"))
		Expect(in(ctx, pod, "cat", home+"/.config/by-port/token")).To(Equal(canary + "changed"))
		Expect(in(ctx, pod, "stat", "-c", "%F", "/srv/by-cluster")).To(Equal("regular empty file"), "a deleted secret leaves an empty file")
	})

	It("has new paths in new pods", func(ctx SpecContext) {
		run(ctx, "--namespace", user.Namespace, "rollout", "restart", "deployment/web")
		run(ctx, "--namespace", user.Namespace, "rollout", "status", "deployment/web", "--timeout=60s")
		pod = podOf(ctx, user.Namespace, "web")
		Expect(in(ctx, pod, "cat", home+"/late")).To(Equal(canary + "late"))
		_, err := tryIn(ctx, pod, "main", "stat", "/srv/by-cluster")
		Expect(err).To(HaveOccurred())
	})
})

// post creates a user secret through REST. Its value is its name, behind the canary.
func post(ctx context.Context, f conformance.Face, user conformance.Account, name, env, path string) {
	GinkgoHelper()
	body := fmt.Sprintf(`{"name":%q,"value":%q,"env_name":%q,"file_path":%q}`, name, canary+name, env, path)
	answer := ask(ctx, f, user, http.MethodPost, mySecrets(f, ""), body)
	Expect(answer.Status).To(Equal(http.StatusCreated), string(answer.Body))
	Expect(string(answer.Body)).NotTo(ContainSubstring(canary))
}
