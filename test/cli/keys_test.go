// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// newestKey returns the id of the key that is published.
func newestKey(ctx context.Context) string {
	GinkgoHelper()
	published := &corev1.ConfigMap{}
	Expect(api.Get(ctx, client.ObjectKey{Namespace: framework.SystemNamespace, Name: keyring.PublicKeysName}, published)).To(Succeed())
	return published.Data[keyring.PublicKeyID]
}

// madeIdentity is the identity of age of all specs.
var madeIdentity = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("go", "-C", filepath.Join(cluster.Root, "cmd", "kubectl-latchkey"), "run", "filippo.io/age/cmd/age-keygen").Output()
})

// ageIdentity returns an identity of age and its recipient.
func ageIdentity() (identity, recipient string) {
	GinkgoHelper()
	out, err := madeIdentity()
	Expect(err).NotTo(HaveOccurred())
	return string(out), regexp.MustCompile(`age1[0-9a-z]+`).FindString(string(out))
}

var _ = Describe("keys", Serial, func() {
	It("lists, rotates, backs up and restores, and values open again", func(ctx SpecContext) {
		ns, dir := newTenant(ctx), GinkgoT().TempDir()
		succeed(ctx, ns, canary, "agent", "set", "token", "--type", "string")
		old := newestKey(ctx)
		rotated := run(ctx, ns, "", "keys", "rotate", "--wait")
		newest := newestKey(ctx)
		Expect(rotated).To(And(ends(0), prints(MatchRegexp("^key "+newest+" seals now, key "+old+" opens\nall values are sealed with it: \\d+\n$"))))
		Expect(succeed(ctx, ns, "", "agent", "get", "token", "-o", "yaml")).To(ContainSubstring("sealedValue: lk1."+newest+"."), "it waited for that")
		Expect(succeed(ctx, ns, "", "keys", "list")).
			To(MatchRegexp(`^ID +CREATED +DOES +OBJECTS\n` + newest + ` +\S+ +seals and opens +\d+\n` + old + ` +\S+ +opens +\d+\n`))

		identity, recipient := ageIdentity()
		path := filepath.Join(dir, "keys.age")
		secret := framework.Secret(framework.SystemNamespace, "latchkey-key-"+old, nil)
		Expect(api.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
		private := base64.StdEncoding.EncodeToString(secret.Data["private"])
		Expect(len(private)).To(BeNumerically(">", 40))
		Expect(run(ctx, ns, "", "-v=9", "keys", "backup", "--recipient", recipient, "-O", path)).To(And(ends(0), notices(Not(ContainSubstring(private)))))
		info, err := os.Stat(path)
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode().Perm()).To(BeEquivalentTo(0o600))
		Expect(content(path)).To(And(HavePrefix("-----BEGIN AGE ENCRYPTED FILE-----\n"), Not(ContainSubstring(newest))))
		Expect(run(ctx, ns, "", "keys", "backup", "--recipient", recipient, "-O", path)).To(ends(3), "a backup is not written over")

		Expect(api.Delete(ctx, secret.DeepCopy())).To(Succeed())
		got := run(ctx, ns, "", "-v=9", "keys", "restore", path, "--identity", file(dir, "identity", identity))
		Expect(got).To(And(ends(0), notices(Not(ContainSubstring(private)))))
		Expect(got.stdout).To(And(ContainSubstring("key "+old+" restored\n"), ContainSubstring("key "+newest+" was there\n"),
			HaveSuffix("1 key restored; 0 objects can be opened again\n")))
		Expect(run(ctx, ns, "", "keys", "restore", path, "--identity", filepath.Join(dir, "identity"), "--as", "nobody")).To(And(ends(3), notices(And(
			ContainSubstring("nobody may not list secrets in namespace latchkey-system\n"), ContainSubstring(" grants it:\n  kubectl ")))))
		again := framework.Secret(framework.SystemNamespace, secret.Name, nil)
		Expect(api.Get(ctx, client.ObjectKeyFromObject(again), again)).To(Succeed())
		Expect(again.Data).To(Equal(secret.Data))
		Expect(again.Annotations).To(Equal(map[string]string{keyring.AnnotationCreated: secret.Annotations[keyring.AnnotationCreated]}))
		Expect(succeed(ctx, ns, "", "agent", "get", "token")).To(ContainSubstring("True Projected"))
	})

	It("shows what people see of keys list, rotate, backup, restore", func(ctx SpecContext) {
		// Of other specs' keys and objects the numbers vary.
		noSecrets(ctx)
		inSystem(ctx, "delete", "secret", "--selector", v1alpha1.LabelSealingKey, "--field-selector", "metadata.name!=latchkey-key-"+newestKey(ctx))
		t, dir := newTranscript(ctx, "row-keys"), GinkgoT().TempDir()
		t.hide(dir, "DIR")
		succeed(ctx, t.namespace, canary, "set", "t", "--wait")
		old := newestKey(ctx)
		identity, recipient := ageIdentity()
		// Whether a spec before this one has backed the key up shows in its fields.
		succeed(ctx, t.namespace, "", "keys", "backup", "--recipient", recipient, "-O", filepath.Join(dir, "earlier.age"))
		t.run(ctx, "", "keys", "list")
		t.run(ctx, "", "keys", "rotate", "--dry-run=client")
		t.run(ctx, "", "keys", "rotate", "--dry-run=server", "--wait", "-o", "yaml")
		t.run(ctx, "", "keys", "rotate", "--wait")
		t.run(ctx, "", "keys", "list")
		t.run(ctx, "", "keys", "list", "-o", "yaml")
		t.run(ctx, "", "keys", "list", "-o", "name")
		t.hide(recipient, "age1RECIPIENT")
		path, key := filepath.Join(dir, "keys.age"), file(dir, "identity", identity)
		t.run(ctx, "", "keys", "backup", "--recipient", recipient, "-O", path)
		t.run(ctx, "", "keys", "backup", "--recipient", recipient, "-O", path)
		t.run(ctx, "", "keys", "backup", "--recipient", "bob", "-O", path+"2")
		inSystem(ctx, "delete", "secret", "latchkey-key-"+old)
		t.run(ctx, "", "keys", "restore", path, "--identity", key, "--dry-run=client")
		t.run(ctx, "", "keys", "restore", path, "--identity", key, "--dry-run=server", "-o", "yaml")
		t.run(ctx, "", "keys", "restore", path, "--identity", key)
		t.run(ctx, "", "keys", "restore", path, "--identity", key)
		t.run(ctx, "", "keys", "restore", path, "--identity", key, "-o", "name")
		t.run(ctx, "", "keys", "restore", key, "--identity", key)
		t.run(ctx, "", "keys", "restore", path, "--identity", path)
		t.run(ctx, "", "keys", "restore", path)
		t.run(ctx, "", "keys", "backup")
		t.run(ctx, "", "keys", "rotate", "-o", "name")
		t.run(ctx, "", "keys", "rotate", "--dry-run=maybe")
		t.run(ctx, "", "keys", "rotate", "-o", "wide")
		t.run(ctx, "", "keys", "list", "--as", "nobody")
		t.is("keys")
		Eventually(ctx, func() string { return newestKey(ctx) }).ShouldNot(Equal(old))
	})

	It("only checks by a dry run, and says the same", func(ctx SpecContext) {
		ns, dir := newTenant(ctx), GinkgoT().TempDir()
		old := newestKey(ctx)
		succeed(ctx, ns, "", "keys", "rotate", "--wait", "-o", "json")
		newest := newestKey(ctx)
		Expect(newest).NotTo(Equal(old))
		identity, recipient := ageIdentity()
		path, key := filepath.Join(dir, "keys.age"), file(dir, "identity", identity)
		succeed(ctx, ns, "", "keys", "backup", "--recipient", recipient, "-O", path)
		inSystem(ctx, "delete", "secret", "latchkey-key-"+old)
		before := succeed(ctx, ns, "", "keys", "list", "-o", "yaml")
		for _, dry := range []string{"client", "server"} {
			Expect(run(ctx, ns, "", "keys", "rotate", "--wait", "--dry-run="+dry)).To(Equal(result{stdout: "asked for a successor of key " + newest + " (" + dry + " dry run)\n"}))
			Expect(succeed(ctx, ns, "", "keys", "restore", path, "--identity", key, "--dry-run="+dry)).To(And(
				ContainSubstring("key "+old+" restored ("+dry+" dry run)\n"), ContainSubstring("key "+newest+" was there\n")))
			Expect(succeed(ctx, ns, "", "keys", "list", "-o", "yaml")).To(Equal(before), "nothing was stored")
		}
	})

	It("ends with 4 where a restore is done in part, and goes on when it is run again", func(ctx SpecContext) {
		ns, dir := newTenant(ctx), GinkgoT().TempDir()
		first := newestKey(ctx)
		succeed(ctx, ns, "", "keys", "rotate", "--wait")
		second := newestKey(ctx)
		succeed(ctx, ns, "", "keys", "rotate", "--wait")
		inSystem(ctx, "delete", "secret", "--selector", v1alpha1.LabelSealingKey, "--field-selector",
			"metadata.name!=latchkey-key-"+newestKey(ctx)+",metadata.name!=latchkey-key-"+first+",metadata.name!=latchkey-key-"+second)
		identity, recipient := ageIdentity()
		path, key := filepath.Join(dir, "keys.age"), file(dir, "identity", identity)
		succeed(ctx, ns, "", "keys", "backup", "--recipient", recipient, "-O", path)
		inSystem(ctx, "delete", "secret", "latchkey-key-"+first, "latchkey-key-"+second)
		done, failed := min(first, second), max(first, second) // a backup is in the order of names

		// A policy refuses the one that comes later, and not the other.
		refuse := `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-key}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [secrets]}]}
  validations: [{expression: "object.metadata.name != 'latchkey-key-` + failed + `'", message: "not this one"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-key}
spec: {policyName: no-key, validationActions: [Deny]}
`
		_, err := cluster.Kubectl.Run(ctx, refuse, "apply", "-f", "-")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			_, _ = cluster.Kubectl.Run(ctx, refuse, "delete", "--ignore-not-found", "-f", "-")
		})
		Eventually(ctx, func() int {
			return run(ctx, ns, "", "keys", "restore", path, "--identity", key, "--dry-run=server").code
		}).Should(Equal(4), "the policy is in force")
		got := run(ctx, ns, "", "keys", "restore", path, "--identity", key)
		Expect(got).To(And(ends(4), prints(HavePrefix("key "+done+" restored\n")), notices(And(
			ContainSubstring("done: "+done+"\nfailed: "+failed+"\nnot tried: "), ContainSubstring("\nRun it again to go on"),
			ContainSubstring("error: refused: "), ContainSubstring("not this one"), ContainSubstring("Try: kubectl ")))))
		Expect(got.stdout).NotTo(ContainSubstring(failed))
		Expect(run(ctx, ns, "", "keys", "restore", path, "--identity", key)).To(And(ends(3), notices(ContainSubstring("done: none\nfailed: "+failed+"\n"))), "nothing more is done")
		_, err = cluster.Kubectl.Run(ctx, refuse, "delete", "-f", "-")
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func() string { return run(ctx, ns, "", "keys", "restore", path, "--identity", key).stdout }).Should(And(
			ContainSubstring("key "+done+" was there\n"), ContainSubstring("key "+failed+" restored\n")))
	})

	It("ends with 4 for who may not see how many objects that helps", func(ctx SpecContext) {
		ns, dir := newTenant(ctx), GinkgoT().TempDir()
		identity, recipient := ageIdentity()
		path, key := filepath.Join(dir, "keys.age"), file(dir, "identity", identity)
		succeed(ctx, ns, "", "keys", "backup", "--recipient", recipient, "-O", path)
		inSystem(ctx, "create", "role", "keeper", "--verb=list,create,patch", "--resource=secrets")
		inSystem(ctx, "create", "rolebinding", "keeper", "--role=keeper", "--user=keeper")
		Eventually(ctx, func() result { return run(ctx, ns, "", "keys", "list", "--as", "keeper") }).Should(And(
			ends(4), prints(MatchRegexp(`seals and opens +-\n`)), notices(ContainSubstring("keeper may not list usersecrets.latchkey.dev in the whole cluster\n"))))
		Expect(run(ctx, ns, "", "keys", "restore", path, "--identity", key, "--as", "keeper")).To(And(ends(4), prints(HaveSuffix("\n0 keys restored\n")),
			notices(And(HavePrefix("How many objects can be opened again is not known: "), ContainSubstring("keeper may not list usersecrets.latchkey.dev in the whole cluster\n")))))
	})

	It("has a restored key that would seal replaced at once", func(ctx SpecContext) {
		ns, dir := newTenant(ctx), GinkgoT().TempDir()
		succeed(ctx, ns, canary, "agent", "set", "token", "--type", "string")
		newest := newestKey(ctx)
		identity, recipient := ageIdentity()
		path := filepath.Join(dir, "keys.age")
		succeed(ctx, ns, "", "keys", "backup", "--recipient", recipient, "-O", path)
		Expect(cluster.Kubectl.Run(ctx, "", "-n", framework.SystemNamespace, "delete", "secret", "latchkey-key-"+newest)).To(ContainSubstring("deleted"))
		got := run(ctx, ns, "", "keys", "restore", path, "--identity", file(dir, "identity", identity))
		Expect(got.code).To(Equal(0), got.stderr)
		Eventually(ctx, func() string { return newestKey(ctx) }).ShouldNot(Equal(newest))
		Eventually(ctx, func() string { return succeed(ctx, ns, "", "agent", "get", "token") }).Should(ContainSubstring("True Projected"))
	})

	It("says which right is missing", func(ctx SpecContext) {
		Expect(run(ctx, "default", "", "keys", "list", "--as", "nobody")).To(And(ends(3), notices(
			ContainSubstring("nobody may not list secrets in namespace latchkey-system"))))
	})
})
