// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/keyring"
)

// grant gives a user a ClusterRole in a namespace.
func grant(ctx context.Context, namespace, user, role string) {
	GinkgoHelper()
	kubectl(ctx, "-n", namespace, "create", "rolebinding", role+"-"+user, "--clusterrole="+role, "--user="+user)
}

// block returns the lines of the first block of commands below a heading of a page.
func block(page, heading string) []string {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(cluster.Root, "docs", page))
	Expect(err).NotTo(HaveOccurred())
	_, below, found := strings.Cut(string(text), "\n## "+heading+"\n")
	Expect(found).To(BeTrue(), heading)
	_, below, _ = strings.Cut(below, "```sh\n")
	commands, _, found := strings.Cut(below, "```")
	Expect(found).To(BeTrue())
	return strings.Split(strings.TrimSpace(commands), "\n")
}

var _ = Describe("whoami and can-i: a caller", func() {
	const hint = "The label latchkey.dev/user gives the user of a namespace no right in the Kubernetes API"

	It("who is a user by label alone is told of the REST API and of the roles, which the documented recipe grants", func(ctx SpecContext) {
		owner := newUser(ctx) // the namespace is named after the user
		as := func(args ...string) result { return run(ctx, owner, canary, append(args, "--as", owner)...) }
		for _, command := range [][]string{{"list"}, {"set", "t"}, {"describe", "t"}, {"delete", "t", "--yes"}, {"agent", "list"}} {
			Expect(as(command...)).To(And(ends(3), notices(And(
				HavePrefix("error: "+owner+" may not "), ContainSubstring(hint), ContainSubstring("docs/rest-user-secrets.md, also for the coder command line"),
				ContainSubstring("docs/rbac.md#the-owner-of-a-namespace")))))
		}
		Expect(as("can-i", "set")).To(And(ends(4), notices(ContainSubstring(hint)), prints(Equal(
			"no: you may not list usersecrets.latchkey.dev in namespace "+owner+"; create usersecrets.latchkey.dev in namespace "+owner+"; patch usersecrets.latchkey.dev in namespace "+owner+"\n"+
				"An administrator of namespace "+owner+" can grant it:\n"+
				"  kubectl -n "+owner+" create rolebinding latchkey-view-"+owner+" --clusterrole=latchkey-view --user="+owner+"\n"+
				"  kubectl -n "+owner+" create rolebinding latchkey-edit-"+owner+" --clusterrole=latchkey-edit --user="+owner+"\n"))))

		recipe := block("rbac.md", "The owner of a namespace")
		Expect(recipe).To(HaveLen(2))
		for _, command := range recipe {
			kubectl(ctx, strings.Fields(strings.ReplaceAll(command, "alice", owner))[1:]...)
		}
		Expect(as("can-i", "set")).To(Equal(result{stdout: "yes\n"}))
		Expect(as("can-i", "reveal")).To(Equal(result{stdout: "yes\n"}))
		Expect(as("set", "t", "--env", "T").code).To(Equal(0))
		Expect(as("list")).To(And(ends(0), prints(ContainSubstring("UserSecret"))))
		Expect(as("delete", "t", "--yes").code).To(Equal(0))
		Expect(as("can-i", "run")).To(And(ends(4), prints(HavePrefix("no: you may not get secrets latchkey-user-env, latchkey-user-files, latchkey-agent-env, latchkey-agent-files in namespace "+owner+"\n"))))
		Expect(as("can-i", "rotate")).To(And(ends(4), prints(And(
			HavePrefix("no: you may not list secrets in namespace latchkey-system; patch secrets in namespace latchkey-system\n"),
			ContainSubstring("  kubectl -n latchkey-system create role latchkey-patch-secrets --verb=patch --resource=secrets\n")))))
		out, err := cluster.Kubectl.Run(ctx, "", "-n", owner, "auth", "can-i", "get", "secrets", "--as", owner)
		Expect(err).To(HaveOccurred(), "the recipe is about Latchkey's objects alone: %s", out)
	})

	It("is told who the cluster says that they are, and whose the namespace is", func(ctx SpecContext) {
		owner := newUser(ctx)
		grant(ctx, owner, owner, "latchkey-view")
		Expect(run(ctx, owner, "", "whoami", "--as", owner, "--as-group", "staff")).To(And(ends(0), prints(And(
			HavePrefix("You are:    "+owner+"\nGroups:     staff, system:authenticated\nNamespace:  "+owner+", whose is not known: you may not get namespaces in namespace "+owner+"\n"),
			ContainSubstring("\nYou may not set: create usersecrets.latchkey.dev in namespace "+owner+"; patch usersecrets")))))
		kubectl(ctx, "-n", owner, "create", "role", "see", "--verb=get", "--resource=namespaces")
		kubectl(ctx, "-n", owner, "create", "rolebinding", "see", "--role=see", "--user="+owner)
		grant(ctx, owner, owner, "latchkey-edit")
		Eventually(func() string { return run(ctx, owner, "", "whoami", "--as", owner).stdout }).Should(And(
			ContainSubstring("\nNamespace:  " + owner + ", of user " + owner + ", who you are\nYou may:    set, reveal\nYou may not run: get secrets ")))
		kubectl(ctx, "annotate", "namespace", owner, v1alpha1.AnnotationSubjects+"=somebody")
		Expect(run(ctx, owner, "", "whoami", "--as", owner, "-o", "json").stdout).To(And(ContainSubstring(`"own": false`), ContainSubstring(`"tenantUser": "`+owner+`"`)))
		Expect(succeed(ctx, owner, "", "whoami")).To(ContainSubstring("\nYou may:    set, reveal, run, rotate\n"))
	})

	It("who may only look can list, and is told what is missing for the rest", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, canary, "set", "t", "--env", "T", "--wait")
		grant(ctx, ns, "viewer", "latchkey-view")
		Eventually(func() int { return run(ctx, ns, "", "list", "--as", "viewer").code }).Should(Equal(0))
		Expect(run(ctx, ns, canary, "set", "t", "--as", "viewer")).To(And(ends(3), notices(ContainSubstring(
			"viewer may not patch usersecrets.latchkey.dev in namespace "+ns+"\nAn administrator of namespace "+ns+" grants it:\n"+
				"  kubectl -n "+ns+" create rolebinding latchkey-edit-viewer --clusterrole=latchkey-edit --user=viewer\n"))))
		Expect(run(ctx, ns, "", "usage", "t", "--as", "viewer")).To(And(ends(3), notices(Equal(
			"error: viewer may not list pods in namespace "+ns+"\nAn administrator of namespace "+ns+" grants it:\n"+
				"  kubectl -n "+ns+" create rolebinding view-viewer --clusterrole=view --user=viewer\n"))))
		Expect(run(ctx, ns, "", "describe", "t", "--as", "viewer")).To(And(ends(4), prints(ContainSubstring("State:        Projected\n")),
			notices(ContainSubstring("Who uses it is missing: viewer may not list pods"))))
	})

	It("who may only write is told that they may not look", func(ctx SpecContext) {
		ns := newTenant(ctx)
		grant(ctx, ns, "writer", "latchkey-edit")
		Expect(run(ctx, ns, canary, "set", "t", "--as", "writer")).To(And(ends(3), notices(ContainSubstring("writer may not list usersecrets.latchkey.dev in namespace "+ns))))
		Expect(run(ctx, ns, "", "can-i", "set", "--as", "writer")).To(And(ends(4), prints(HavePrefix("no: you may not list usersecrets.latchkey.dev in namespace "+ns+"\n"))))
	})

	It("whose name is not a word for a shell gets it quoted", func(ctx SpecContext) {
		ns := newTenant(ctx)
		Expect(run(ctx, ns, "", "list", "--as", "x $(id)")).To(notices(ContainSubstring(" latchkey-view-x-id --clusterrole=latchkey-view '--user=x $(id)'\n")))
		Expect(run(ctx, ns, "", "list", "--as", "system:serviceaccount:ci:deploy")).To(notices(ContainSubstring(" --serviceaccount=ci:deploy\n")))
	})
})

var _ = Describe("A server of the version before", Serial, func() {
	It("is used as far as it goes, and what it does not say is named", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, canary, "set", "t", "--env", "T", "--wait")
		_, err := stack.Controller.Stop()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) { Expect(stack.Controller.Start(ctx)).To(Succeed()) })
		inSystem(ctx, "patch", "configmap", keyring.PublicKeysName, "--type=json", "-p", `[{"op":"remove","path":"/data/limits.json"},{"op":"remove","path":"/data/version"},{"op":"remove","path":"/data/keys.json"}]`)
		Expect(succeed(ctx, ns, "", "version")).To(HaveSuffix("server older than the plugin: it does not publish its version\n"))
		Expect(run(ctx, ns, canary+"-2", "set", "t").code).To(Equal(0))
		Expect(run(ctx, ns, canary+"-3", "set", "u", "--env", "U").code).To(Equal(0))
		Expect(succeed(ctx, ns, "A="+canary, "import", "-", "--format", "env", "--yes")).To(ContainSubstring("A"))
		Expect(succeed(ctx, ns, canary, "seal", "x")).To(HavePrefix("lk1."))
		Expect(succeed(ctx, ns, "", "list")).To(ContainSubstring("UserSecret"))
		Expect(run(ctx, ns, "", "wait", "t", "--timeout", "1s")).To(ends(5))
		Expect(succeed(ctx, ns, "", "whoami")).To(ContainSubstring("You may:    set"))
		Expect(succeed(ctx, ns, manifest("UserSecret", ns, "p", "envName: P\nvalue: "+canary), "plan", "-f", "-")).To(ContainSubstring("+ variable P"))
		Expect(succeed(ctx, ns, "", "keys", "list")).To(ContainSubstring("seals and opens"))
		Expect(unwell(ctx, ns, "--tenant")).NotTo(ContainElement(HavePrefix("Dry run")))
	})

	It("is used without the time of a change, which is said and counts as not safe", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, canary, "set", "t", "--env", "T", "--wait")
		Expect(succeed(ctx, ns, "", "usage", "t", "--exit-code")).To(HavePrefix("changed "))
		_, err := stack.Controller.Stop()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) { Expect(stack.Controller.Start(ctx)).To(Succeed()) })
		kubectl(ctx, "-n", ns, "patch", "usersecret", "t", "--subresource=status", "--type=json", "-p", `[{"op":"remove","path":"/status/value"}]`)
		got := run(ctx, ns, "", "usage", "t", "--exit-code")
		Expect(got).To(And(ends(4), prints(ContainSubstring("or Latchkey is of a version before status.value.changedAt"))))
		Expect(run(ctx, ns, "", "wait", "t", "--timeout", "1s")).To(And(ends(5), notices(ContainSubstring("status.value.changedAt"))))
		Expect(succeed(ctx, ns, "", "describe", "t")).To(ContainSubstring("State:        Projected\n"))
	})
})
