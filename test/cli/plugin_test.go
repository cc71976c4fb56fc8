// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// canary is in every value that a spec sets.
const canary = "canary-4be81c07"

// result is what a command said, and how it ended.
type result struct {
	stdout, stderr string
	code           int
}

// said is all that any command printed.
var said struct {
	sync.Mutex
	text bytes.Buffer
}

// run runs the plugin in a namespace; stdin "" is the null device.
func run(ctx context.Context, namespace, stdin string, args ...string) result {
	GinkgoHelper()
	return runBare(ctx, stdin, append([]string{"-n", namespace}, args...)...)
}

// runBare runs the plugin with these arguments alone; stdin "" is the null device.
func runBare(ctx context.Context, stdin string, args ...string) result {
	GinkgoHelper()
	return runAt(ctx, cluster.Dir, stdin, args...)
}

// runAt is runBare with a home of its own.
func runAt(ctx context.Context, home, stdin string, args ...string) result {
	GinkgoHelper()
	var input io.Reader
	if stdin != "" {
		input = strings.NewReader(stdin)
	}
	command := exec.CommandContext(ctx, plugin, args...)
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "KUBECONFIG=" + filepath.Join(cluster.Dir, "admin.kubeconfig"),
		framework.EndAtOnce,
	}
	command.Stdin = input
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		Expect(err).NotTo(HaveOccurred())
	}
	said.Lock()
	defer said.Unlock()
	said.text.Write(stdout.Bytes())
	said.text.Write(stderr.Bytes())
	Expect(strings.Join(args, " ")).NotTo(ContainSubstring(canary), "no value is in argv")
	return result{stdout: stdout.String(), stderr: stderr.String(), code: command.ProcessState.ExitCode()}
}

// succeed is run for a command that has to end with 0, and returns what it printed.
func succeed(ctx context.Context, namespace, stdin string, args ...string) string {
	GinkgoHelper()
	got := run(ctx, namespace, stdin, args...)
	Expect(got.code).To(Equal(0), got.stderr)
	return got.stdout
}

// newTenant makes a namespace.
func newTenant(ctx context.Context) string {
	GinkgoHelper()
	ns := framework.Namespace("")
	Expect(api.Create(ctx, ns)).To(Succeed())
	return ns.Name
}

// noSecrets deletes the secrets of all specs.
func noSecrets(ctx context.Context) {
	GinkgoHelper()
	users, agents := &v1alpha1.UserSecretList{}, &v1alpha1.AgentSecretList{}
	Expect(api.List(ctx, users)).To(Succeed())
	Expect(api.List(ctx, agents)).To(Succeed())
	namespaces := map[string]bool{}
	for _, s := range users.Items {
		namespaces[s.Namespace] = true
	}
	for _, s := range agents.Items {
		namespaces[s.Namespace] = true
	}
	for ns := range namespaces {
		Expect(api.DeleteAllOf(ctx, &v1alpha1.UserSecret{}, client.InNamespace(ns))).To(Succeed())
		Expect(api.DeleteAllOf(ctx, &v1alpha1.AgentSecret{}, client.InNamespace(ns))).To(Succeed())
	}
	Eventually(ctx, func(g Gomega) {
		g.Expect(api.List(ctx, users)).To(Succeed())
		g.Expect(api.List(ctx, agents)).To(Succeed())
		g.Expect(len(users.Items) + len(agents.Items)).To(Equal(0))
	}).Should(Succeed())
}

// leaks returns where the canary is although it must not be.
func leaks() (map[string]bool, error) {
	found := map[string]bool{}
	audit, err := os.ReadFile(cluster.Audit.Path())
	if err != nil {
		return nil, err
	}
	said.Lock()
	defer said.Unlock()
	for where, text := range map[string][]byte{"what the commands printed": said.text.Bytes(), "bodies in the audit log": audit} {
		for _, form := range framework.CanaryForms(canary) {
			if bytes.Contains(text, form) {
				found["a value is in "+where] = true
			}
		}
	}
	return found, nil
}
