// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

var _ = Describe("The samples", Ordered, func() {
	samples := func() string { return filepath.Join(cluster.Root, "config", "samples") }

	BeforeAll(func(ctx SpecContext) {
		_, err := cluster.Kubectl.Run(ctx, "", "apply", "-k", samples())
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(emptyTenants, []string{"alice", "shop-prod"})
	})

	It("become ready", func(ctx SpecContext) {
		for name, want := range map[string]string{
			"github-token":      v1alpha1.ReasonProjected,
			"old-npm-token":     v1alpha1.ReasonDisabled,
			"registry-password": v1alpha1.ReasonProjected,
		} {
			Eventually(ctx, condition(userSecret("alice", name))).Should(Equal("True "+want), name)
		}
		for name, want := range map[string]string{
			"db-password":   v1alpha1.ReasonProjected,
			"smtp":          v1alpha1.ReasonProjected,
			"feature-flags": v1alpha1.ReasonNoValue,
		} {
			Eventually(ctx, condition(agentSecret("shop-prod", name))).Should(Equal("True "+want), name)
		}
	})

	It("are in the user's native Secrets under the right keys", func(ctx SpecContext) {
		Eventually(ctx, data("alice", v1alpha1.BundleUserEnv)).Should(Equal(values{
			"GITHUB_TOKEN":      "ghp-sample-not-a-real-token",
			"REGISTRY_PASSWORD": "registry-sample-not-a-real-password",
		}))
		Eventually(ctx, data("alice", v1alpha1.BundleUserFiles)).Should(Equal(values{
			"github-token": "ghp-sample-not-a-real-token",
		}))
		bundle := native(ctx, "alice", v1alpha1.BundleUserFiles)
		Expect(bundle.Annotations).To(HaveKey(v1alpha1.AnnotationLayout))
		Expect(bundle.Labels).To(HaveKeyWithValue(v1alpha1.LabelBundle, "user"))
		Expect(bundle.Type).To(BeEquivalentTo(v1alpha1.SecretTypeBundle))
	})

	It("are in the environment's native Secrets, typed", func(ctx SpecContext) {
		const smtp = `{"host":"smtp-sample.invalid","port":587,"user":null}`
		Eventually(ctx, data("shop-prod", v1alpha1.BundleAgentEnv)).Should(Equal(values{
			"DB_PASSWORD": "agent-sample-not-a-real-password",
			"SMTP":        smtp,
		}))
		Eventually(ctx, data("shop-prod", v1alpha1.BundleAgentFiles)).Should(Equal(values{
			"db.password":  "agent-sample-not-a-real-password",
			"smtp":         smtp,
			"secrets.json": `{"db":{"password":"agent-sample-not-a-real-password"},"smtp":` + smtp + `}`,
		}))
	})

	It("say in their status where the value landed", func(ctx SpecContext) {
		u := userSecret("alice", "github-token")
		Expect(api.Get(ctx, key(u), u)).To(Succeed())
		Expect(u.Status.Env).To(Equal(&v1alpha1.Landing{SecretName: v1alpha1.BundleUserEnv, Key: "GITHUB_TOKEN"}))
		Expect(u.Status.File).To(Equal(&v1alpha1.Landing{SecretName: v1alpha1.BundleUserFiles, Key: "github-token"}))
		Expect(u.Status.ObservedGeneration).To(Equal(u.Generation))
	})

	It("are shown by kubectl in columns, by category and by short name", func(ctx SpecContext) {
		out := run(ctx, "get", "latchkey", "--namespace", "alice")
		Expect(columns(out)[0]).To(Equal([]string{"NAME", "READY", "REASON", "ENV", "FILE", "AGE"}))
		Expect(columns(out)).To(ContainElement(HaveExactElements(
			HaveSuffix("github-token"), "True", "Projected", "GITHUB_TOKEN", "~/.config/gh/token", Not(BeEmpty()))))
		out = run(ctx, "get", "asec", "--namespace", "shop-prod")
		Expect(columns(out)[0]).To(Equal([]string{"NAME", "READY", "REASON", "PATH", "TYPE", "REVISION", "ENV", "AGE"}))
		Expect(columns(out)).To(ContainElement(HaveExactElements(
			"db-password", "True", "Projected", `["db","password"]`, "Str", "0", "DB_PASSWORD", Not(BeEmpty()))))
		Expect(run(ctx, "get", "usec", "--namespace", "alice", "--output", "wide")).To(ContainSubstring("MESSAGE"))
	})

	It("are found by their fields", func(ctx SpecContext) {
		for _, selector := range []string{
			"spec.envName=GITHUB_TOKEN", "spec.filePath=~/.config/gh/token", "spec.name=github-token",
		} {
			out := run(ctx, "get", "usersecrets", "--namespace", "alice", "--output", "name", "--field-selector", selector)
			Expect(strings.TrimSpace(out)).To(Equal("usersecret.latchkey.dev/github-token"), selector)
		}
		out := run(ctx, "get", "agentsecrets", "--namespace", "shop-prod", "--output", "name", "--field-selector", "spec.revision=0")
		Expect(strings.Fields(out)).To(HaveLen(3))
	})

	It("change nothing when they are applied again", func(ctx SpecContext) {
		before := versions(ctx, "alice", "shop-prod")
		_, err := cluster.Kubectl.Run(ctx, "", "apply", "-k", samples())
		Expect(err).NotTo(HaveOccurred())
		Expect(versions(ctx, "alice", "shop-prod")).To(Equal(before))
	})
})
