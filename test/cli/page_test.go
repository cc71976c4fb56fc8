// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/test/framework"
)

// The page's commands run as they are written, but for the namespace and the installation.
// Those that take a node are run by the end-to-end tests; here, the spec does what a node
// would.
var _ = Describe("The page of a first secret", func() {
	It("is true", func(ctx SpecContext) {
		page, err := os.ReadFile(filepath.Join(cluster.Root, "docs", "first-secret.md"))
		Expect(err).NotTo(HaveOccurred())
		const ns = "first-secret" // which the page makes
		var printed strings.Builder
		for text, block := range blocksOf(string(page)) {
			if strings.HasSuffix(text, "<!-- takes a node -->\n") {
				if strings.Contains(block, "rollout restart") {
					pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web-1-a"}}
					Expect(api.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
				}
				continue
			}
			if strings.HasPrefix(block, "make build\n") {
				block = "kubectl latchkey version\n"
			}
			script := strings.NewReplacer("namespace alice", "namespace "+ns, "-n alice", "-n "+ns, "user=alice", "user="+ns).Replace(block)
			out := asWritten(ctx, cluster.Dir, script)
			printed.WriteString(out)
			if strings.Contains(block, "create deployment") {
				Eventually(ctx, func() error { return projectedPod(ctx, ns) }).Should(Succeed())
				pod := &corev1.Pod{}
				Expect(api.Get(ctx, client.ObjectKey{Namespace: ns, Name: "web-1-a"}, pod)).To(Succeed())
				pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
					Name: "app", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(time.Now().Add(-time.Hour))}},
				}}}
				Expect(api.Status().Update(ctx, pod)).To(Succeed())
			}
		}
		Expect(printed.String()).To(And(ContainSubstring("\nyes\n"), ContainSubstring("Nothing is wrong."), ContainSubstring("github-token   UserSecret   Projected   GITHUB_TOKEN   ~/.config/gh/token"),
			MatchRegexp(`deploy/web +web-1-a +app +variable +old`), MatchRegexp(`deploy/web +web-1-a +app +file +old`), MatchRegexp(`deploy/web +web-1-a +app +live +settling`),
			ContainSubstring("NOT SAFE to revoke: 1 container has an older value. Try: kubectl rollout restart deploy/web"), ContainSubstring("Safe to revoke the old value")))
	})
})

var _ = Describe("The recipes of the README", func() {
	It("work as they are written", func(ctx SpecContext) {
		readme, err := os.ReadFile(filepath.Join(cluster.Root, "README.md"))
		Expect(err).NotTo(HaveOccurred())
		_, recipes, found := strings.Cut(string(readme), "\n## Recipes\n")
		Expect(found).To(BeTrue(), "the README has recipes")
		recipes, _, _ = strings.Cut(recipes, "\n## ")
		recipes = strings.NewReplacer("alice", "readme-user", "shop-prod", "readme-environment").Replace(recipes)
		folder, printed := GinkgoT().TempDir(), asWritten(ctx, cluster.Dir, // which the section Install asks for
			"kubectl create namespace readme-user && kubectl label namespace readme-user latchkey.dev/user=readme-user")
		for _, block := range blocksOf(recipes) {
			printed += asWritten(ctx, folder, block)
		}
		Expect(printed).To(And(MatchRegexp(`(?m)^lk1\.[0-9a-f]{16}\.`), Not(ContainSubstring("sample-"))))
		asWritten(ctx, folder, "kubectl -n readme-environment wait --for=condition=Ready agentsecret --all --timeout=30s")
	})
})

// The commands of these pages need no node, and run one after the other in one folder.
var _ = DescribeTable("A page of commands is true",
	func(ctx SpecContext, page string, namespaces []string, says ...string) {
		text, err := os.ReadFile(filepath.Join(cluster.Root, "docs", page))
		Expect(err).NotTo(HaveOccurred())
		var pairs []string
		for _, ns := range namespaces {
			own := strings.TrimSuffix(page, ".md") // since pages take the same names
			for _, place := range []string{"namespace ", "namespace: ", "-n ", "environment=", "user="} {
				pairs = append(pairs, place+ns, place+own)
			}
		}
		folder, printed := GinkgoT().TempDir(), ""
		if !strings.Contains(string(text), "create namespace") { // a page for people who have one
			printed += asWritten(ctx, folder, strings.NewReplacer(pairs...).Replace("kubectl create namespace alice && kubectl label namespace alice latchkey.dev/user=alice"))
		}
		for _, block := range blocksOf(string(text)) {
			printed += asWritten(ctx, folder, strings.NewReplacer(pairs...).Replace(block))
		}
		for _, s := range says {
			Expect(printed).To(MatchRegexp(s))
		}
	},
	Entry("an agent environment", "first-agent-secret.md", []string{"shop-prod"},
		`db/password +string +0 +True Projected`, `DB_PASSWORD\nSMTP\n`, `db\.password\nsecrets\.json\nsmtp\n`, `\nyes\n`, `sample-not-a-password`),
	Entry("sealed values in Git", "sealed-manifests.md", []string{"alice"}, `usersecret.*/npm-token condition met`),
	Entry("rotation", Serial, "rotate.md", []string{"alice"}, `Safe to revoke`, `all values are sealed with it: \d+`),
	Entry("restrictions", "restrict.md", []string{"alice"}, `\nyes\n`),
	Entry("migration", "migrate.md", []string{"alice"}, `github-token\S* +UserSecret +\S+ +GITHUB_TOKEN`, `usersecret.*/store-token condition met`),
)

// asWritten runs commands as somebody does who reads them, and returns what they print.
func asWritten(ctx SpecContext, folder, script string) string {
	GinkgoHelper()
	command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	command.Dir = folder
	command.Env = []string{
		"PATH=" + filepath.Dir(plugin) + ":" + filepath.Dir(cluster.Kubectl.Path()) + ":" + os.Getenv("PATH"),
		"HOME=" + cluster.Dir, "KUBECONFIG=" + filepath.Join(cluster.Dir, "admin.kubeconfig"), framework.EndAtOnce,
	}
	out, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s%s", script, out)
	return string(out)
}

// blocksOf yields the blocks of commands of a page, each with the text since the last one.
func blocksOf(page string) func(yield func(text, block string) bool) {
	return func(yield func(text, block string) bool) {
		for {
			text, rest, found := strings.Cut(page, "```sh\n")
			if !found {
				return
			}
			var block string
			if block, page, _ = strings.Cut(rest, "```"); !yield(text, block) {
				return
			}
		}
	}
}
