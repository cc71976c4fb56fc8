// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// pluginFolder builds the plugin, once, and returns the folder in which it is.
var pluginFolder = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "latchkey-plugin-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "-C", "../../cmd/kubectl-latchkey", "build", "-buildvcs=false", "-o", filepath.Join(folder, "kubectl-latchkey"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the plugin: %w: %s", err, out)
	}
	return folder, nil
})

// pluginEnvironment is what the plugin finds, with kubectl beside it.
func pluginEnvironment() (folder string, environment []string) {
	GinkgoHelper()
	folder, err := pluginFolder()
	Expect(err).NotTo(HaveOccurred())
	kubeconfig, err := filepath.Abs(os.Getenv("KUBECONFIG"))
	Expect(err).NotTo(HaveOccurred())
	path := folder + ":" + os.Getenv("PATH")
	if own := os.Getenv("KUBECTL"); own != "" {
		path = filepath.Dir(own) + ":" + path
	}
	return folder, []string{"PATH=" + path, "HOME=" + folder, "KUBECONFIG=" + kubeconfig}
}

// latchkey runs the plugin, and returns what it printed and its exit code.
func latchkey(ctx context.Context, stdin string, args ...string) (output string, code int) {
	GinkgoHelper()
	folder, environment := pluginEnvironment()
	command := exec.CommandContext(ctx, filepath.Join(folder, "kubectl-latchkey"), args...)
	command.Env = environment
	if stdin != "" {
		command.Stdin = strings.NewReader(stdin)
	}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	Expect(command.ProcessState).NotTo(BeNil(), "%v", err)
	if code = command.ProcessState.ExitCode(); code != 0 {
		return stdout.String() + stderr.String(), code
	}
	return stdout.String(), 0
}

// states returns what usage says of a pod's container main, by the way in which it has a
// secret.
func states(ctx context.Context, namespace, secret, pod string) map[string]string {
	GinkgoHelper()
	out, code := latchkey(ctx, "", "-n", namespace, "usage", secret, "-o", "json")
	Expect(code).To(BeZero(), out)
	var answer struct {
		Uses []struct{ Pod, As, State string }
	}
	Expect(json.Unmarshal([]byte(out), &answer)).To(Succeed())
	found := map[string]string{}
	for _, u := range answer.Uses {
		if u.Pod == pod {
			found[u.As] = u.State
		}
	}
	return found
}

// changedAt is when the value of a secret last changed.
func changedAt(ctx context.Context, namespace, name string) time.Time {
	GinkgoHelper()
	s := &v1alpha1.UserSecret{}
	Expect(api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, s)).To(Succeed())
	Expect(s.Status.Value).NotTo(BeNil())
	return s.Status.Value.ChangedAt.Time
}

// awaitAge waits until so much time has gone by since a moment.
func awaitAge(ctx context.Context, since time.Time, age time.Duration) {
	GinkgoHelper()
	Eventually(ctx, func() time.Duration { return time.Since(since) }, age+10*time.Second, time.Second).Should(BeNumerically(">", age))
}

// lingering has a container that takes its time to end, after it was told to.
func lingering(seconds int64) func(*corev1.PodSpec) {
	return func(spec *corev1.PodSpec) {
		spec.TerminationGracePeriodSeconds = ptr.To(seconds)
		spec.Containers[0].Command = []string{"sh", "-c", `trap '' TERM; while :; do sleep 1; done`}
	}
}

// A credential that is used as a variable, as a file at its own path and in the live
// directory is replaced, and usage says at each moment what the containers have.
var _ = Describe("A credential that is rotated", Ordered, func() {
	const path = home + "/.config/token"
	var namespace string
	var old, alone *corev1.Pod
	var second time.Time

	expectStates := func(ctx context.Context, pod *corev1.Pod, variable, file, live string) {
		GinkgoHelper()
		Expect(states(ctx, namespace, "token", pod.Name)).To(Equal(map[string]string{"variable": variable, "file": file, "live": live}), pod.Name)
	}
	has := func(ctx context.Context, pod *corev1.Pod, value string) {
		GinkgoHelper()
		Expect(variables(ctx, pod, "main")).To(HaveKeyWithValue("TOKEN", canary+value))
		Expect(in(ctx, pod, "cat", path)).To(Equal(canary + value))
	}

	BeforeAll(func(ctx SpecContext) {
		namespace = newUser(ctx, "rotated").Namespace
		out, code := latchkey(ctx, canary+"first", "-n", namespace, "set", "token", "--env", "TOKEN", "--file", "~/.config/token", "--wait")
		Expect(code).To(BeZero(), out)
		awaitAge(ctx, changedAt(ctx, namespace, "token"), 3*time.Second) // beyond the allowance for clocks
		deployment := newDeployment(ctx, namespace, "web", newSpec(as(1000, 2000, home), lingering(20)))
		before := deployment.DeepCopy()
		deployment.Spec.Strategy.Type = appsv1.RollingUpdateDeploymentStrategyType // the new pod beside the old one
		Expect(api.Patch(ctx, deployment, client.MergeFrom(before))).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(api.Delete(ctx, deployment)).To(Succeed()) })
		alone = newPod(ctx, namespace, "alone", newSpec(as(1000, 2000, home)), nil)
		awaitPod(ctx, alone)
		old = podOf(ctx, namespace, "web")
	})

	It("is current in containers that started after it", func(ctx SpecContext) {
		has(ctx, old, "first")
		got := states(ctx, namespace, "token", old.Name)
		Expect(got["live"]).To(Or(Equal("settling"), Equal("assumed")))
		Expect(got).To(And(HaveKeyWithValue("variable", "current"), HaveKeyWithValue("file", "current")))
	})

	It("is old in them once it has changed, and the live directory follows", func(ctx SpecContext) {
		awaitAge(ctx, time.Now(), 35*time.Second) // the containers are older than the change, whatever the clocks
		out, code := latchkey(ctx, canary+"second", "-n", namespace, "set", "token", "--wait")
		Expect(code).To(BeZero(), out)
		second = changedAt(ctx, namespace, "token")
		for _, pod := range []*corev1.Pod{old, alone} {
			has(ctx, pod, "first")
			expectStates(ctx, pod, "old", "old", "settling")
		}
		out, code = latchkey(ctx, "", "-n", namespace, "usage", "token", "--exit-code")
		Expect(code).To(Equal(4), out)
		Expect(out).To(And(ContainSubstring("NOT SAFE to revoke: 2 containers have an older value"), ContainSubstring("kubectl rollout restart deploy/web"), ContainSubstring("kubectl delete pod "+alone.Name)))
		Eventually(ctx, reading(old, userDir+"/token"), 2*time.Minute).Should(Equal(canary + "second"))
	}, SpecTimeout(4*time.Minute))

	It("is current in a container that started again in its place, two minutes later", func(ctx SpecContext) {
		awaitAge(ctx, second, 125*time.Second)
		expectStates(ctx, alone, "old", "old", "assumed")
		end(ctx, alone)
		Eventually(ctx, func(g Gomega) {
			g.Expect(api.Get(ctx, client.ObjectKeyFromObject(alone), alone)).To(Succeed())
			g.Expect(alone.Status.ContainerStatuses[0].RestartCount).To(BeEquivalentTo(1))
			g.Expect(isReady(alone)).To(BeTrue(), describe(alone))
		}).Should(Succeed())
		has(ctx, alone, "second")
		expectStates(ctx, alone, "current", "current", "assumed")
		has(ctx, old, "first")
		expectStates(ctx, old, "old", "old", "assumed")
	}, SpecTimeout(4*time.Minute))

	It("can be revoked when the last old container is gone, and not before", func(ctx SpecContext) {
		type outcome struct {
			output string
			code   int
			at     time.Time
		}
		ended := make(chan outcome, 1)
		go func() {
			defer GinkgoRecover()
			out, code := latchkey(ctx, "", "-n", namespace, "wait", "token", "--timeout", "3m")
			ended <- outcome{out, code, time.Now()}
		}()
		Consistently(ctx, ended, 5*time.Second).ShouldNot(Receive())
		run(ctx, "--namespace", namespace, "rollout", "restart", "deployment/web")
		run(ctx, "--namespace", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
		// The new container runs, the old one is told to end and still has the value.
		Expect(api.Get(ctx, client.ObjectKeyFromObject(old), old)).To(Succeed())
		Expect(ended).NotTo(Receive(), "the old container is still there")
		var gone time.Time
		Eventually(ctx, func() error { gone = time.Now(); return api.Get(ctx, client.ObjectKeyFromObject(old), old) }).Should(Satisfy(apierrors.IsNotFound))
		var got outcome
		Eventually(ctx, ended, 15*time.Second).Should(Receive(&got))
		Expect(got.code).To(BeZero(), got.output)
		Expect(got.output).To(HavePrefix("Safe to revoke the old value: none of 2 containers has it."))
		Expect(got.at).To(BeTemporally(">", gone.Add(-time.Second)), "not before the last old container was gone")
		report("the last old container gone, until wait returns", got.at.Sub(gone))
		fresh := podOf(ctx, namespace, "web")
		has(ctx, fresh, "second")
		expectStates(ctx, fresh, "current", "current", "assumed")
	}, SpecTimeout(4*time.Minute))
})
