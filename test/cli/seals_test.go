// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/test/framework"
)

const str = `{"type":"Str"}`

// manifest is an object as a person would write it.
func manifest(kind, namespace, name, spec string) string {
	return "apiVersion: latchkey.dev/v1alpha1\nkind: " + kind + "\nmetadata:\n  namespace: " + namespace + "\n  name: " + name +
		"\nspec:\n  " + strings.ReplaceAll(spec, "\n", "\n  ") + "\n---\n"
}

// file writes a file into a folder and returns its path.
func file(dir, name, text string) string {
	GinkgoHelper()
	path := filepath.Join(dir, name)
	Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
	return path
}

func content(path string) string {
	GinkgoHelper()
	text, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

func apply(ctx context.Context, text string) error {
	_, err := cluster.Kubectl.Run(ctx, text, "apply", "-f", "-")
	return err
}

// publicKeys writes what is published of the keys into a folder, as people keep it.
func publicKeys(ctx context.Context, dir string) string {
	GinkgoHelper()
	out, err := cluster.Kubectl.Run(ctx, "", "-n", framework.SystemNamespace, "get", "configmap", keyring.PublicKeysName, "-o", "yaml")
	Expect(err).NotTo(HaveOccurred())
	return file(dir, "public-keys.pub", out)
}

// older returns manifests with values of an older key, of a UserSecret and an AgentSecret.
func older(ctx context.Context, tenant string) (user, agent string, sealWith func(seal.Context, string) string) {
	GinkgoHelper()
	with, err := cluster.OlderKey(ctx)
	Expect(err).NotTo(HaveOccurred())
	sealWith = func(at seal.Context, value string) string {
		GinkgoHelper()
		text, err := with(at, value)
		Expect(err).NotTo(HaveOccurred())
		return text
	}
	at, err := binding.OfAgent(framework.AgentSecret(tenant, "db", str, "", "db"))
	Expect(err).NotTo(HaveOccurred())
	return manifest("UserSecret", tenant, "token", "envName: TOKEN\nsealedValue: "+sealWith(binding.User(tenant, "token"), canary)),
		manifest("AgentSecret", tenant, "db", "path: [db]\nsecretType: "+str+"\nsealedValue: "+sealWith(at, `"`+canary+`"`)), sealWith
}

var sealedText = regexp.MustCompile(`lk1\.([0-9a-f]{16})\.[A-Za-z0-9_-]+`)

// withoutSealed returns a text without its sealed values.
func withoutSealed(text string) string { return sealedText.ReplaceAllString(text, "SEALED") }

var _ = Describe("seal", func() {
	It("seals one value, with the cluster's key and offline, that opens for its object alone", func(ctx SpecContext) {
		ns, dir := newTenant(ctx), GinkgoT().TempDir()
		online := succeed(ctx, ns, canary, "seal", "token")
		offline := succeed(ctx, ns, canary, "seal", "token", "--key", publicKeys(ctx, dir), "--kubeconfig", "/nowhere")
		Expect(online).NotTo(Equal(offline))
		for _, sealed := range []string{online, offline} {
			Expect(apply(ctx, manifest("UserSecret", ns, "token", "envName: TOKEN\nsealedValue: "+strings.TrimSpace(sealed)))).To(Succeed())
			Eventually(ctx, projected(ctx, ns, "TOKEN")).Should(Equal(canary))
			Expect(apply(ctx, manifest("UserSecret", ns, "other", "sealedValue: "+strings.TrimSpace(sealed)))).
				To(MatchError(ContainSubstring("it does not open for UserSecret")))
		}
	})

	It("seals an agent's value for its path and type", func(ctx SpecContext) {
		ns := newTenant(ctx)
		args := []string{"seal", "db", "--kind", "AgentSecret", "--path", "DB_password", "--type", "option<string>"}
		Expect(run(ctx, ns, canary, args...)).To(ends(3), "the value of an option is JSON")
		sealed := strings.TrimSpace(succeed(ctx, ns, `"`+canary+`"`, args...))
		Expect(apply(ctx, manifest("AgentSecret", ns, "db", "path: [DB_password]\nsecretType: {type: Option, inner: {type: Str}}\nsealedValue: "+sealed))).To(Succeed())
		Expect(run(ctx, ns, "1", "seal", "db", "--kind", "AgentSecret", "--path", "a", "--type", "list<str>")).To(And(
			ends(2), notices(HavePrefix("error: --type: column 6: expected a type: "))))
	})

	It("offline, takes the namespace from nobody but the caller", func(ctx SpecContext) {
		got := runBare(ctx, canary, "seal", "token", "--key", publicKeys(ctx, GinkgoT().TempDir()))
		Expect(got).To(Equal(result{code: 2, stderr: "error: choose the namespace with -n: the value is sealed for it. See kubectl latchkey seal --help\n"}))
	})

	It("replaces the values in a manifest, which can be applied then", func(ctx SpecContext) {
		ns, dir := newTenant(ctx), GinkgoT().TempDir()
		text := "# mine\n" + manifest("UserSecret", ns, "token", "envName: TOKEN\nvalue: "+canary+" # no comment") +
			manifest("AgentSecret", ns, "db", "path: [db]\nsecretType: "+str+"\nvalue: "+canary)
		path := file(dir, "m.yaml", text)
		printed := runBare(ctx, "", "seal", "-f", path)
		Expect(printed.code).To(Equal(0), printed.stderr)
		Expect(content(path)).To(Equal(text), "without -i the file stays as it is")
		inPlace := runBare(ctx, "", "seal", "-f", path, "-i", "--key", publicKeys(ctx, dir))
		Expect(inPlace).To(And(ends(0), prints(""), notices(MatchRegexp(`^2 values sealed with key [0-9a-f]{16}\n$`))))
		want := strings.ReplaceAll(text, "value: "+canary, "sealedValue: SEALED")
		for _, sealed := range []string{printed.stdout, content(path)} {
			Expect(withoutSealed(sealed)).To(Equal(want))
			Expect(apply(ctx, sealed)).To(Succeed())
		}
		Eventually(ctx, projected(ctx, ns, "TOKEN")).Should(Equal(canary))
	})

	It("refuses what admission would refuse, all of it at once, and changes nothing", func(ctx SpecContext) {
		dir := GinkgoT().TempDir()
		text := manifest("UserSecret", "alice", "fine", "value: "+canary) + manifest("UserSecret", "alice", "bad", "envName: PATH\nvalue: "+canary) +
			manifest("UserSecret", "bob", "elsewhere", "value: "+canary)
		path := file(dir, "m.yaml", text)
		got := run(ctx, "alice", "", "seal", "-f", path, "-i", "--key", publicKeys(ctx, dir))
		Expect(got.code).To(Equal(3))
		Expect(got.stderr).To(And(ContainSubstring("m.yaml:9 UserSecret bad: spec.envName: "),
			ContainSubstring("m.yaml:18 UserSecret elsewhere: metadata.namespace is bob, and -n says alice\n")))
		Expect(content(path)).To(Equal(text))
	})
})

var _ = Describe("reseal", func() {
	It("brings what is of an older key to the newest, by dry runs, whatever the caller may read", func(ctx SpecContext) {
		ns, dir := newTenant(ctx), GinkgoT().TempDir()
		user, agent, sealWith := older(ctx, ns)
		Expect(apply(ctx, user)).To(Succeed()) // the other is not stored yet
		Eventually(ctx, projected(ctx, ns, "TOKEN")).Should(Equal(canary))
		stored := &v1alpha1.UserSecret{}
		read := func() v1alpha1.UserSecretSpec {
			GinkgoHelper()
			Expect(api.Get(ctx, client.ObjectKey{Namespace: ns, Name: "token"}, stored)).To(Succeed())
			return stored.Spec
		}
		before := read()
		text := "# ключ 🔑\r\n\r\n" + strings.ReplaceAll(user, "\n", "\r\n") + agent
		path := file(dir, "secrets.yaml", text)
		file(dir, "template.yaml", "kind: UserSecret\n{{ if .x }}\n")
		wrong := manifest("UserSecret", ns, "token", "sealedValue: "+sealWith(binding.User("elsewhere", "token"), canary))
		refused := file(dir, "wrong.yaml", wrong)

		check := run(ctx, ns, "", "reseal", "--check", dir)
		Expect(check).To(And(ends(4), prints(HaveSuffix("3 of an older key, 0 of the newest key already, 1 skipped\n"))))
		Expect(content(path)).To(Equal(text))

		got := run(ctx, ns, "", "reseal", dir, "--as", manager(ctx, ns))
		Expect(got).To(And(ends(4), notices("")))
		Expect(got.stdout).To(And(
			ContainSubstring("template.yaml:1 skipped: it is a template\n"),
			ContainSubstring("wrong.yaml:1 UserSecret token skipped: spec.sealedValue: it does not open for UserSecret "+ns+"/token"),
			HaveSuffix("2 resealed, 0 of the newest key already, 2 skipped\n"),
		))
		Expect(content(refused)).To(Equal(wrong))
		resealed := content(path)
		Expect(resealed).NotTo(Equal(text))
		Expect(withoutSealed(resealed)).To(Equal(withoutSealed(text)), "nothing but the texts changed")
		Expect(read()).To(Equal(before), "dry runs store nothing")

		Expect(apply(ctx, resealed)).To(Succeed())
		Expect(read()).To(Equal(before), "the value is the same")
		Expect(os.Remove(refused)).To(Succeed())
		Expect(run(ctx, ns, "", "reseal", path)).To(Equal(result{stdout: "0 resealed, 2 of the newest key already, 0 skipped\n"}))
	})

	It("leaves what is bound to the UID of its namespace to its author", func(ctx SpecContext) {
		ns, dir := newTenant(ctx), GinkgoT().TempDir()
		_, _, sealWith := older(ctx, ns)
		namespace := framework.Namespace(ns)
		Expect(api.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
		at := binding.User(ns, "token")
		at.NamespaceUID = string(namespace.UID)
		text := manifest("UserSecret", ns, "token", "sealedValue: "+sealWith(at, canary))
		path := file(dir, "m.yaml", text)
		got := run(ctx, ns, "", "reseal", path)
		Expect(got).To(And(ends(4), prints(
			ContainSubstring("skipped: it was sealed for the UID of its namespace: seal the value again for that UID"))))
		Expect(content(path)).To(Equal(text))
	})

	It("says which right is missing", func(ctx SpecContext) {
		ns, dir := newTenant(ctx), GinkgoT().TempDir()
		user, _, _ := older(ctx, ns)
		path := file(dir, "m.yaml", user)
		got := run(ctx, ns, "", "reseal", path, "--as", "nobody")
		Expect(got).To(And(ends(4), prints(ContainSubstring("nobody may not patch usersecrets.latchkey.dev in namespace "+ns))))
		Expect(content(path)).To(Equal(user))
	})
})

var _ = Describe("validate", func() {
	It("says what is wrong with which object, and with --server what only the cluster knows", func(ctx SpecContext) {
		ns, dir := newTenant(ctx), GinkgoT().TempDir()
		Expect(apply(ctx, manifest("UserSecret", ns, "first", "envName: TOKEN\nsealedValue: "+strings.TrimSpace(succeed(ctx, ns, canary, "seal", "first"))))).To(Succeed())
		path := file(dir, "m.yaml", manifest("UserSecret", ns, "second", "envName: TOKEN\nvalue: "+canary)+
			manifest("AgentSecret", ns, "typed", "path: [a]\nsecretType: {type: U8}\nvalue: "+canary))
		Expect(run(ctx, ns, "", "validate", "-f", path, "--kubeconfig", "/nowhere")).To(Equal(result{
			code: 4, stdout: path + ":10 AgentSecret typed: spec.value: value does not match type: [expected number, found string]\n2 objects, 1 problem\n",
		}))
		Expect(run(ctx, ns, "", "validate", "-f", dir, "--server")).To(And(ends(4), prints(
			ContainSubstring(`m.yaml:1 UserSecret second: spec.envName: environment variable already in use: "TOKEN" is claimed by first`))))
		Expect(run(ctx, ns, manifest("UserSecret", ns, "third", "envName: T\nvalue: "+canary), "validate", "-f", "-", "--server")).
			To(Equal(result{stdout: "1 object, 0 problems\n"}))
		unknown := manifest("UserSecret", ns, "third", "sealedValue: lk1.0123456789abcdef."+strings.Repeat("A", 1516))
		Expect(run(ctx, ns, unknown, "validate", "-f", "-", "--key", publicKeys(ctx, dir))).To(prints(
			ContainSubstring("its key 0123456789abcdef is not among the published ones")))
	})
})
