// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"
)

var _ = Describe("The doctor", func() {
	It("finds nothing wrong with an installation that works, and names the part that does not", func(ctx SpecContext) {
		namespace := newUser(ctx, "doctor").Namespace
		states := func(ctx context.Context) map[string]string {
			GinkgoHelper()
			out, _ := latchkey(ctx, "", "-n", namespace, "doctor", "-o", "json")
			out = out[:strings.LastIndex(out, "}")+1]
			var answer struct {
				System, Tenant []struct{ Check, State, Text string }
			}
			Expect(json.Unmarshal([]byte(out), &answer)).To(Succeed(), out)
			found := map[string]string{}
			for _, f := range append(answer.System, answer.Tenant...) {
				if f.State == "failed" || f.State == "unknown" {
					found[f.Check] += f.Text + "\n"
				}
			}
			delete(found, "Lost keys") // other specs leave objects whose key they took away
			return found
		}
		Expect(states(ctx)).To(BeEmpty())
		replicas := ptr.Deref(deployment(ctx, serverName).Spec.Replicas, 1)
		DeferCleanup(func(ctx SpecContext) {
			scale(ctx, serverName, replicas)
			awaitLatchkey(ctx)
		})
		scale(ctx, serverName, 0)
		// Killed servers leave their Lease behind until it has run out.
		Eventually(ctx, states, 2*time.Minute, time.Second).Should(And(
			HaveKeyWithValue("Deployments", ContainSubstring("latchkey-server is scaled to nothing")),
			HaveKeyWithValue("APIServices", ContainSubstring("v2.coder.latchkey.dev")),
			HaveKeyWithValue("Leader", ContainSubstring("no server answers REST")),
			HaveKeyWithValue("Dry run", ContainSubstring("a secret cannot be created"))))
	}, SpecTimeout(4*time.Minute))
})

// The page for newcomers is run as it is written, but for the namespace, the image and the
// installation, which are this run's.
var _ = Describe("The page of a first secret", func() {
	It("is true", func(ctx SpecContext) {
		page, err := os.ReadFile("../../docs/first-secret.md")
		Expect(err).NotTo(HaveOccurred())
		name := tenantName("first")
		DeferCleanup(func(ctx SpecContext) {
			run(ctx, "delete", "namespace", name, "--ignore-not-found", "--wait=false")
		})
		_, environment := pluginEnvironment()
		var printed strings.Builder
		blocks := strings.Split(string(page), "```sh\n")[1:]
		Expect(len(blocks)).To(BeNumerically(">", 8))
		for _, block := range blocks {
			script, _, _ := strings.Cut(block, "```")
			if strings.HasPrefix(script, "make build\n") {
				script = "kubectl latchkey version\n"
			}
			// The page's reader is slower than this: a container that has just started may be
			// of after the change, and a pod that is made at once may be of before it.
			switch {
			case strings.HasPrefix(script, "printf second-token"):
				awaitAge(ctx, time.Now(), 35*time.Second)
			case strings.Contains(script, "rollout restart"):
				awaitAge(ctx, time.Now(), 5*time.Second)
			}
			script = strings.NewReplacer("namespace alice", "namespace "+name, "-n alice", "-n "+name, "user=alice", "user="+name, "busybox:stable", busybox).Replace(script)
			command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
			command.Env = environment
			out, err := command.CombinedOutput()
			Expect(err).NotTo(HaveOccurred(), "%s%s", script, out)
			printed.Write(out)
		}
		Expect(printed.String()).To(And(ContainSubstring("first-token"), ContainSubstring("variable   old"), ContainSubstring("file       old"),
			ContainSubstring("Safe to revoke the old value"), ContainSubstring("second-token")))
	}, SpecTimeout(8*time.Minute))
})
