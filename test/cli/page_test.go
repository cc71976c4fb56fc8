// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
		for text, block := range blocksOf(string(page), "sh") {
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
		for _, block := range blocksOf(recipes, "sh") {
			printed += asWritten(ctx, folder, block)
		}
		Expect(printed).To(And(MatchRegexp(`(?m)^lk1\.[0-9a-f]{16}\.`), Not(ContainSubstring("sample-"))))
		asWritten(ctx, folder, "kubectl -n readme-environment wait --for=condition=Ready agentsecret --all --timeout=30s")
	})
})

// page is a page of commands that need no node. They run one after the other in one folder.
type page struct {
	file string
	// namespaces are those of the examples, before is what the page takes for granted, and
	// says what is printed in the end.
	namespaces []string
	before     string
	says       []string
	// alone is true where the commands change what other specs look at.
	alone bool
}

const (
	userThere        = "kubectl create namespace alice && kubectl label namespace alice latchkey.dev/user=alice\n"
	environmentThere = "kubectl create namespace shop-prod && kubectl label namespace shop-prod latchkey.dev/environment=shop-prod\n"
	npmManifest      = "printf 'apiVersion: latchkey.dev/v1alpha1\nkind: UserSecret\nmetadata: {name: npm, namespace: alice}\nspec:\n  '"
)

var pages = []page{
	{
		file: "first-agent-secret.md", namespaces: []string{"shop-prod"},
		says: []string{`db/password +string +0 +True Projected`, `DB_PASSWORD\nSMTP\n`, `db\.password\nsecrets\.json\nsmtp\n`, `\nyes\n`, `sample-not-a-password`},
	},
	{
		file: "agentsecret.md", namespaces: []string{"shop-prod"}, before: environmentThere,
		says: []string{`record\{host: string, port: u16\}`, `"host": ?"smtp-sample.invalid"`},
	},
	{file: "sealed-manifests.md", namespaces: []string{"alice"}, says: []string{`usersecret.*/npm-token condition met`}},
	{
		file: "gitops.md", namespaces: []string{"alice"}, says: []string{`0 resealed, 1 of the newest key already`},
		before: userThere + "mkdir manifests; (" + npmManifest + "; printf 'sealedValue: '; printf sample | kubectl latchkey seal npm -n alice) > manifests/npm.yaml",
	},
	{
		file: "sealing.md", namespaces: []string{"alice", "prod"}, says: []string{`(?s)(lk1\.[\w.-]+\n.*){5}`}, alone: true,
		before: userThere + "printf sample-1 > npm-token.txt; printf sample-2 > password.txt; (" + npmManifest + "; echo 'value: sample-3') > secrets.yaml",
	},
	{file: "rotate.md", namespaces: []string{"alice"}, before: userThere, says: []string{`Safe to revoke`, `all values are sealed with it: \d+`}, alone: true},
	{file: "restrict.md", namespaces: []string{"alice"}, before: userThere, says: []string{`\nyes\n`}},
	{file: "rbac.md", namespaces: []string{"alice"}, before: userThere, says: []string{`latchkey-edit-alice created`}},
	{file: "projection.md", namespaces: []string{"alice"}, before: userThere, says: []string{`labeled`}},
	{file: "migrate.md", namespaces: []string{"alice"}, says: []string{`github-token\S* +UserSecret +\S+ +GITHUB_TOKEN`, `usersecret.*/store-token condition met`}},
}

var _ = Describe("A page of commands is true", func() {
	for _, p := range pages {
		var alone []any
		if p.alone {
			alone = append(alone, Serial)
		}
		It(p.file, append(alone, func(ctx SpecContext) {
			text, err := os.ReadFile(filepath.Join(cluster.Root, "docs", p.file))
			Expect(err).NotTo(HaveOccurred())
			var pairs []string
			for _, ns := range p.namespaces {
				own := strings.TrimSuffix(p.file, ".md") // since pages take the same names
				for _, place := range []string{"namespace ", "namespace: ", "-n ", "environment=", "user="} {
					pairs = append(pairs, place+ns, place+own)
				}
			}
			folder := GinkgoT().TempDir()
			for name, program := range programsOf(string(text)) {
				build(ctx, folder, name, program)
			}
			printed := asWritten(ctx, folder, strings.NewReplacer(pairs...).Replace(p.before))
			var all strings.Builder // of one shell, since a block may use what the one before defined
			for _, block := range blocksOf(string(text), "sh") {
				all.WriteString(strings.NewReplacer(pairs...).Replace(block))
			}
			printed += asWritten(ctx, folder, all.String())
			for _, s := range p.says {
				Expect(printed).To(MatchRegexp(s))
			}
		})...)
	}
})

// elsewhere has the pages whose commands take more than an API server, or are no recipe.
var elsewhere = map[string]string{
	"backup.md":             "the drill of test/integration takes the same steps",
	"cli.md":                "examples of the plugin's help, whose commands the other specs run",
	"coder-cli.md":          "test/integration",
	"first-secret.md":       "above, and test/e2e",
	"import.md":             "the vectors send the same request; jq may be missing",
	"install.md":            "test/e2e, by Helm and by kustomize",
	"performance.md":        "benchmarks",
	"rest-agent-secrets.md": "test/integration",
	"rest-user-secrets.md":  "test/integration",
	"troubleshooting.md":    "remedies of faults, each of which a spec of its fault applies",
	"ui.md":                 "test/ui starts the page",
	"uninstall.md":          "test/e2e",
}

var _ = Describe("Pages with commands", func() {
	It("are run by a test, each of them", func() {
		files, err := filepath.Glob(filepath.Join(cluster.Root, "docs", "*.md"))
		Expect(err).NotTo(HaveOccurred())
		for _, file := range files {
			text, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			name := filepath.Base(file)
			run := elsewhere[name] != "" || slices.ContainsFunc(pages, func(p page) bool { return p.file == name })
			Expect(run).To(Equal(strings.Contains(string(text), "```sh\n")), name)
		}
	})
})

// programsOf returns the programs in Go that a page shows whole, by what they call themselves.
func programsOf(page string) map[string]string {
	out := map[string]string{}
	for _, program := range blocksOf(page, "go") {
		if name, ok := strings.CutPrefix(program, "// Command "); ok {
			name, _, _ = strings.Cut(name, " ")
			out[name] = program
		}
	}
	return out
}

// build builds a program into a folder.
func build(ctx SpecContext, folder, name, program string) {
	GinkgoHelper()
	source := filepath.Join(folder, name+".go")
	Expect(os.WriteFile(source, []byte(program), 0o600)).To(Succeed())
	command := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(folder, name), source)
	out, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(out))
}

// asWritten runs commands as somebody does who reads them, and returns what they print.
func asWritten(ctx SpecContext, folder, script string) string {
	GinkgoHelper()
	command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	command.Dir = folder
	command.Env = []string{
		"PATH=" + folder + ":" + filepath.Dir(plugin) + ":" + filepath.Dir(cluster.Kubectl.Path()) + ":" + os.Getenv("PATH"),
		"HOME=" + cluster.Dir, "KUBECONFIG=" + filepath.Join(cluster.Dir, "admin.kubeconfig"), framework.EndAtOnce,
	}
	out, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s%s", script, out)
	return string(out)
}

// blocksOf yields the blocks of a page in a language, such as sh, each with the text since
// the last one.
func blocksOf(page, language string) func(yield func(text, block string) bool) {
	return func(yield func(text, block string) bool) {
		for {
			text, rest, found := strings.Cut(page, "```"+language+"\n")
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
