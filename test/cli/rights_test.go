// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// asked is a command with what is piped into it, and the code with which it ends for who
// has no right, who may view, who may write and not look, and who may edit, which is both.
type asked struct {
	words                      string
	stdin                      string
	nothing, view, write, edit int
}

var commandsByRight = []asked{
	{"list", "", 3, 0, 3, 0},
	{"describe t", "", 3, 0, 3, 0},
	{"usage t", "", 3, 0, 3, 0},
	{"usage", "", 3, 0, 3, 0},
	{"wait t", "", 3, 0, 3, 0},
	{"plan -f MANIFEST", "", 3, 4, 3, 0},
	{"set t", canary + "-2", 3, 3, 3, 0},
	{"set new --dry-run=server", canary, 3, 3, 3, 0},
	{"disable t --dry-run=server", "", 3, 3, 3, 0},
	{"enable t", "", 3, 3, 3, 0},
	{"delete t --dry-run=server", "", 3, 3, 3, 0},
	{"delete t --when-unused --dry-run=server", "", 3, 3, 3, 0},
	{"import - --format env --yes --overwrite", "t=" + canary, 3, 3, 3, 0},
	{"agent list", "", 3, 0, 3, 0},
	{"agent get a", "", 3, 0, 3, 0},
	{"agent get a --reveal", "", 3, 3, 3, 0},
	{"agent set a", canary + "-2", 3, 3, 3, 0},
	{"agent unset a --dry-run=server", "", 3, 3, 3, 0},
	{"agent delete a --dry-run=server", "", 3, 3, 3, 0},
	{"run -- true", "", 3, 3, 3, 0},
	{"seal x", canary, 0, 0, 0, 0},
	{"validate --server -f MANIFEST", "", 4, 4, 0, 0},
	{"reseal OLDER", "", 4, 4, 0, 0},
	// A right that is missing is named, and is nothing wrong.
	{"doctor", "", 0, 0, 0, 0},
	{"doctor --system", "", 0, 0, 0, 0},
	{"doctor --tenant", "", 0, 0, 0, 0},
	{"whoami", "", 0, 0, 0, 0},
	{"can-i set", "", 4, 4, 4, 0},
	{"can-i reveal", "", 4, 4, 4, 0},
	{"can-i run", "", 4, 4, 4, 0},
	{"can-i rotate", "", 4, 4, 4, 4},
	{"keys list", "", 3, 3, 3, 3},
	{"keys rotate", "", 3, 3, 3, 3},
	{"keys rotate --dry-run=server", "", 3, 3, 3, 3},
	{"keys restore KEYS --identity IDENTITY", "", 3, 3, 3, 3},
	{"keys restore KEYS --identity IDENTITY --dry-run=server", "", 3, 3, 3, 3},
	{"keys backup --recipient age1yt3tfqlfrwdwx0z0ynwplcr6qxcxfaqycuprpmy89nr83ltx74tqdpszlw -O BACKUP", "", 3, 3, 3, 3},
	{"version", "", 0, 0, 0, 0},
}

// missing is how a missing right is said: who, the verb, the resource and where; who can
// grant it, and how.
var missing = regexp.MustCompile(`(?m)(\S+) may not (\w+) ([\w.-]+(?:/\w+)?)(?: [\w, -]+)? in (?:namespace [\w-]+|the whole cluster)\n.*An administrator of (?:namespace [\w-]+|the cluster) grants it:\n((?:.*  kubectl .*(?:\n|$))+)`)

// forTwo makes a namespace, an environment too, with a secret of each kind, and the
// manifests that the words of commands stand for.
func forTwo(ctx context.Context) (ns string, words *strings.Replacer) {
	GinkgoHelper()
	ns, dir := newTenant(ctx), GinkgoT().TempDir()
	aggregate(ctx, "view", "system:aggregate-to-view", "latchkey-view")
	aggregate(ctx, "edit", "system:aggregate-to-view", "latchkey-view", "system:aggregate-to-edit", "latchkey-edit")
	kubectl(ctx, "label", "namespace", ns, v1alpha1.LabelUser+"="+ns, v1alpha1.LabelEnvironment+"="+ns)
	succeed(ctx, ns, canary, "set", "t", "--env", "T", "--wait")
	succeed(ctx, ns, "a value that is revealed", "agent", "set", "a", "--type", "string", "--name", "a")
	settled(ctx, ns, 2)
	user, _, _ := older(ctx, ns)
	identity, recipient := ageIdentity()
	succeed(ctx, ns, "", "keys", "backup", "--recipient", recipient, "-O", dir+"/kept.age")
	return ns, strings.NewReplacer("MANIFEST", file(dir, "m.yaml", manifest("UserSecret", ns, "m", "envName: M\nvalue: "+canary)),
		"OLDER", file(dir, "older.yaml", user), "BACKUP", dir+"/keys.age",
		"KEYS", dir+"/kept.age", "IDENTITY", file(dir, "identity", identity))
}

// aggregate fills a ClusterRole, which a controller that is not here would do.
func aggregate(ctx context.Context, name string, of ...string) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{}
	Expect(api.Get(ctx, client.ObjectKey{Name: name}, role)).To(Succeed())
	role.Rules = nil
	for _, part := range of {
		from := &rbacv1.ClusterRole{}
		Expect(api.Get(ctx, client.ObjectKey{Name: part}, from)).To(Succeed())
		role.Rules = append(role.Rules, from.Rules...)
	}
	Expect(api.Update(ctx, role)).To(Succeed())
}

var _ = Describe("a caller", func() {
	callers := map[string]struct {
		roles []string
		code  func(asked) int
	}{
		"who has no right":              {nil, func(a asked) int { return a.nothing }},
		"who may view alone":            {[]string{"view"}, func(a asked) int { return a.view }},
		"who may write, and not look":   {[]string{"latchkey-edit"}, func(a asked) int { return a.write }},
		"who may edit, which is to see": {[]string{"edit"}, func(a asked) int { return a.edit }},
	}
	for caller, is := range callers {
		It(caller+", is told of each right that a command lacks, and who grants it", func(ctx SpecContext) {
			ns, words := forTwo(ctx)
			user := ns + "-caller"
			for _, role := range is.roles {
				grant(ctx, ns, user, role)
			}
			first := asked{view: 0, edit: 0, nothing: 3, write: 3} // list
			Eventually(ctx, func(g Gomega) {
				g.Expect(run(ctx, ns, "", "list", "--as", user).code).To(Equal(is.code(first)))
				text := run(ctx, ns, "", "whoami", "--as", user).stdout
				g.Expect(strings.Contains(text, "patch usersecrets")).To(Equal(is.code(asked{nothing: 1, view: 1}) == 1), "the role is in force")
			}).Should(Succeed())
			for _, command := range commandsByRight {
				got := run(ctx, ns, command.stdin, append([]string{"--as", user}, strings.Fields(words.Replace(command.words))...)...)
				Expect(got.code).To(Equal(is.code(command)), "%s: %s%s", command.words, got.stdout, got.stderr)
				switch m := missing.FindStringSubmatch(got.stderr + got.stdout); {
				case strings.HasPrefix(command.words, "doctor"):
					Expect(got.stdout).To(MatchRegexp(`\n  – [\w ]+ you may not \w+ [\w./]+ in (namespace|the whole cluster)`), command.words)
					Expect(got.stdout).To(ContainSubstring("An administrator of the cluster has all of them: kubectl latchkey doctor -n "+ns), command.words)
				case strings.HasPrefix(command.words, "can-i") || got.code == 0:
				case m == nil:
					Fail(fmt.Sprintf("%s does not say which right is missing, and who grants it: %s%s", command.words, got.stdout, got.stderr))
				default:
					Expect(m[1]).To(HaveSuffix(user), command.words)
				}
			}
		})
	}

	It("who is given what each refusal asks for can do it in the end", func(ctx SpecContext) {
		ns, words := forTwo(ctx)
		for n, command := range commandsByRight {
			if command.nothing != 3 || strings.HasPrefix(command.words, "keys") { // those mean all of Latchkey's keys
				continue
			}
			user := fmt.Sprintf("%s-%d", ns, n)
			var last string
			Eventually(ctx, func(g Gomega) {
				got := run(ctx, ns, command.stdin, append([]string{"--as", user}, strings.Fields(words.Replace(command.words))...)...)
				said := got.stderr + got.stdout
				if m := missing.FindStringSubmatch(said); m != nil && said != last {
					last = said
					for line := range strings.Lines(m[4]) {
						_, err := cluster.Kubectl.Run(ctx, "", strings.Fields(line)[1:]...)
						g.Expect(err == nil || strings.Contains(err.Error(), "already exists")).To(BeTrue(), "%s: %v", line, err)
					}
				}
				g.Expect(got.code).To(Equal(0), "%s: %s", command.words, said)
			}).Should(Succeed())
		}
	})
})
