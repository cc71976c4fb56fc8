// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// firstLine cuts what a command printed down to its first line.
func firstLine(got result) result {
	line, _, more := strings.Cut(got.stdout, "\n")
	if more {
		line += "\n…\n"
	}
	return result{stdout: line, stderr: got.stderr, code: got.code}
}

// settled waits until the secrets of a namespace were all looked at.
func settled(ctx context.Context, namespace string, secrets int) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		text := succeed(ctx, namespace, "", "list")
		g.Expect(strings.Count(text, "\n")).To(Equal(secrets + 1))
		g.Expect(text).NotTo(ContainSubstring("Checking"))
	}).Should(Succeed())
}

// Each row of the table of commands has a transcript of what people see: what is done,
// what is refused, and how that is said.
var _ = Describe("what people see of", func() {
	It("list, describe NAME", func(ctx SpecContext) {
		t := newTranscript(ctx, "row-list")
		t.run(ctx, "", "list")
		succeed(ctx, t.namespace, canary, "set", "github-token", "--env", "GITHUB_TOKEN", "--file", "~/.token", "--description", "for CI", "--wait")
		succeed(ctx, t.namespace, "", "set", "broken", "--env", "BROKEN", "--from", "missing/key")
		succeed(ctx, t.namespace, canary, "set", "My Token")
		succeed(ctx, t.namespace, canary, "agent", "set", "db/password", "--type", "string", "--name", "db")
		settled(ctx, t.namespace, 4)
		kubectl(ctx, "-n", t.namespace, "label", "usersecret", "github-token", "team=ci")
		t.run(ctx, "", "list")
		t.run(ctx, "", "list", "-o", "wide")
		t.run(ctx, "", "list", "-o", "name")
		t.run(ctx, "", "list", "--kind", "agent")
		t.run(ctx, "", "list", "-l", "team=ci")
		t.run(ctx, "", "list", "-l", "team=ci", "-o", "yaml")
		t.run(ctx, "", "list", "-l", "team=ci", "-o", "json")
		t.run(ctx, "", "list", "-A", "-l", "team=ci")
		t.run(ctx, "", "list", "-l", "team=none")
		t.run(ctx, "", "list", "-l", "=,")
		t.run(ctx, "", "describe", "github-token")
		t.run(ctx, "", "describe", "broken")
		t.run(ctx, "", "describe", "My Token")
		t.run(ctx, "", "describe", "db/password")
		t.run(ctx, "", "describe", "nothing")
		t.run(ctx, "", "list", "github-token")
		t.run(ctx, "", "list", "-o", "toml")
		t.run(ctx, "", "list", "--kind", "both")
		t.is("list")
	})

	It("set NAME", func(ctx SpecContext) {
		t := newTranscript(ctx, "row-set")
		t.run(ctx, canary+"\n", "set", "t", "--env", "T", "--dry-run=client")
		t.run(ctx, canary, "set", "t", "--env", "T", "--dry-run=server", "-o", "yaml")
		t.run(ctx, canary+"\n", "set", "t", "--env", "T", "--file", "~/t", "--description", "one", "--disabled", "--wait")
		t.run(ctx, canary, "set", "t")
		t.run(ctx, "", "set", "t", "--description", "two", "-o", "name")
		t.run(ctx, canary+"-2", "set", "t", "--if-absent")
		t.run(ctx, "", "set", "u", "--env", "U", "--from", "missing/key", "--wait", "--timeout", "5s")
		t.run(ctx, "", "set", "v", "--generate=40", "-o", "json", "--dry-run=client")
		t.run(ctx, canary, "set", "w", "--env", "T")
		t.run(ctx, canary, "set", "w", "--env", "PATH")
		t.run(ctx, canary, "set", "w/x")
		t.run(ctx, "\n", "set", "w")
		t.run(ctx, "", "set", "w")
		t.run(ctx, "", "set", "w", "--generate=3")
		t.run(ctx, "", "set", "w", "--from", "x")
		t.run(ctx, "", "set", "w", "--value-file", "/not/there")
		t.run(ctx, canary, "set", "w", "--dry-run=maybe")
		t.run(ctx, "", "set", "t=x")
		t.is("set")
	})

	It("enable, disable, delete NAME…", func(ctx SpecContext) {
		t := newTranscript(ctx, "row-delete")
		succeed(ctx, t.namespace, canary, "set", "t", "--env", "T", "--wait")
		succeed(ctx, t.namespace, canary, "set", "u", "--env", "U", "--wait")
		succeed(ctx, t.namespace, canary, "agent", "set", "a", "--type", "string", "--name", "a")
		pod := runningPod(ctx, t.namespace, "web", 48*time.Hour)
		t.run(ctx, "", "disable", "t", "u", "--dry-run=server")
		t.run(ctx, "", "disable", "t", "u")
		t.run(ctx, "", "enable", "t", "-o", "name")
		t.run(ctx, "", "enable", "a")
		t.run(ctx, "", "disable", "t", "nothing")
		t.run(ctx, "", "delete", "t", "--dry-run")
		t.run(ctx, "", "delete", "t")
		t.run(ctx, "", "delete", "a", "--when-unused", "--yes")
		Eventually(projected(ctx, t.namespace, "T")).Should(Equal(canary))
		t.run(ctx, "", "delete", "t", "--when-unused", "--yes", "--timeout", "4s")
		Expect(api.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		t.run(ctx, "", "delete", "t", "--when-unused", "--yes")
		t.run(ctx, "", "delete", "u", "u", "a", "--yes")
		t.run(ctx, "", "delete")
		t.is("delete")
	})

	It("agent set PATH, get, list, unset, delete", func(ctx SpecContext) {
		t := newTranscript(ctx, "row-agent")
		dir := GinkgoT().TempDir()
		t.hide(dir, "DIR")
		t.run(ctx, "", "agent", "list")
		t.run(ctx, `{"host": "`+canary+`", "port": 5432}`, "agent", "set", "db/address", "--type", "record{host: string, port: u16}", "--name", "address")
		t.run(ctx, `"`+canary+`"`, "agent", "set", "db/token", "--type", "@"+file(dir, "type.json", `{"type":"Option","inner":{"type":"Str"}}`), "--name", "token")
		t.run(ctx, `"`+canary+`"`, "agent", "set", "DB_password", "--type", "string", "--json", "--name", "password")
		settled(ctx, t.namespace, 3)
		t.run(ctx, "", "agent", "list")
		t.run(ctx, "", "agent", "list", "-o", "wide")
		t.run(ctx, "", "agent", "list", "-o", "name")
		t.run(ctx, "", "agent", "list", "-l", "team=none")
		t.run(ctx, "", "agent", "list", "-l", "=,")
		t.run(ctx, "", "agent", "get", "db/address")
		t.run(ctx, "", "agent", "get", "dbPassword", "-o", "yaml")
		t.run(ctx, canary+"-2", "agent", "set", "dbPassword", "--dry-run=server")
		t.run(ctx, canary+"-2", "agent", "set", "dbPassword", "--if-revision", "0")
		t.run(ctx, canary+"-3", "agent", "set", "dbPassword", "--if-revision", "0")
		t.run(ctx, `{"host": "`+canary+`"}`, "agent", "set", "db/address")
		t.run(ctx, canary, "agent", "set", "db/address")
		t.run(ctx, canary, "agent", "set", "db/address", "--type", "string")
		t.run(ctx, canary, "agent", "set", "new")
		t.run(ctx, canary, "agent", "set", "new", "--type", "list<str>")
		t.run(ctx, canary, "agent", "set", "new", "--type", "string", "--if-revision", "3")
		t.run(ctx, "", "agent", "get", "db/address", "--reveal")
		t.run(ctx, "", "agent", "get", "nothing")
		t.run(ctx, "", "agent", "unset", "dbPassword")
		t.run(ctx, "", "agent", "delete", "dbPassword")
		t.run(ctx, "", "agent", "delete", "dbPassword", "--yes", "--if-revision", "7")
		t.run(ctx, "", "agent", "delete", "dbPassword", "--yes")
		t.run(ctx, "", "agent", "set", "new=x")
		t.run(ctx, "", "agent", "fetch")
		t.is("agent")
	})

	It("import FILE|-", func(ctx SpecContext) {
		t := newTranscript(ctx, "row-import")
		succeed(ctx, t.namespace, canary, "set", "holder", "--env", "TAKEN")
		const env = "TOKEN=" + canary + "-1\napp.id=" + canary + "-2\nPATH=" + canary + "-3\n"
		t.run(ctx, env, "import", "-", "--format", "env", "--dry-run=server", "--yes")
		t.run(ctx, env, "import", "-", "--format", "env")
		t.run(ctx, env, "import", "-", "--format", "env", "--yes")
		t.run(ctx, env+"NEW="+canary+"\n", "import", "-", "--format", "env", "--yes")
		t.run(ctx, `{"TOKEN":"`+canary+`-3"}`, "import", "-", "--format", "json", "--yes", "--overwrite")
		t.run(ctx, "A: "+canary+"\nTAKEN: "+canary+"\nB: \"\"\n", "import", "-", "--format", "yaml", "--yes")
		t.run(ctx, canary, "import", "-", "--format", "env", "--yes")
		t.run(ctx, canary, "import", "-", "--format", "toml")
		t.run(ctx, canary, "import", "-")
		t.run(ctx, "", "import", "/not/there.env")
		t.is("import")
	})

	It("seal NAME, seal -f M; reseal PATH…; validate -f", func(ctx SpecContext) {
		t := newTranscript(ctx, "row-seal")
		dir := GinkgoT().TempDir()
		t.hide(dir, "DIR")
		keys := publicKeys(ctx, dir)
		t.run(ctx, canary, "seal", "token")
		t.run(ctx, "12", "seal", "n", "--kind", "AgentSecret", "--path", "n", "--type", "u8")
		t.run(ctx, "300", "seal", "n", "--kind", "AgentSecret", "--path", "n", "--type", "u8")
		t.runBare(ctx, canary, "seal", "token", "--key", keys)
		path := file(dir, "m.yaml", "# mine\n"+manifest("UserSecret", t.namespace, "token", "envName: TOKEN\nvalue: "+canary))
		t.runBare(ctx, "", "seal", "-f", path)
		t.runBare(ctx, "", "validate", "-f", path)
		t.runBare(ctx, "", "seal", "-f", path, "-i", "--key", keys)
		t.runBare(ctx, "", "validate", "-f", path, "--key", keys)
		t.runBare(ctx, "", "validate", "-f", path, "--server")
		wrong := file(dir, "wrong.yaml", manifest("UserSecret", t.namespace, "bad", "envName: PATH\nvalue: "+canary)+"kind: UserSecret\n{{ if .x }}\n")
		t.runBare(ctx, "", "seal", "-f", wrong)
		t.runBare(ctx, "", "validate", "-f", wrong, "--server")
		user, _, _ := older(ctx, t.namespace)
		old := file(dir, "old.yaml", user)
		t.runBare(ctx, "", "reseal", "--check", dir)
		t.runBare(ctx, "", "reseal", old, "--as", "nobody")
		t.runBare(ctx, "", "reseal", old, path)
		t.runBare(ctx, "", "reseal")
		t.runBare(ctx, "", "validate")
		t.runBare(ctx, "", "seal")
		t.is("seal")
	})

	It("usage [NAME], wait NAME", func(ctx SpecContext) {
		t := newTranscript(ctx, "row-usage")
		t.run(ctx, "", "usage")
		pod := runningPod(ctx, t.namespace, "web", 48*time.Hour)
		succeed(ctx, t.namespace, canary, "set", "t", "--env", "T", "--wait")
		succeed(ctx, t.namespace, canary, "set", "unseen", "--wait")
		t.run(ctx, canary+"-2", "set", "t", "--wait")
		t.run(ctx, "", "usage", "t")
		t.run(ctx, "", "usage", "t", "--exit-code", "-o", "yaml")
		t.run(ctx, "", "usage", "--exit-code")
		t.run(ctx, "", "wait", "t", "--timeout", "1s")
		t.run(ctx, "", "wait", "t", "--timeout", "0s")
		Expect(api.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		t.run(ctx, "", "usage", "t", "--exit-code")
		t.run(ctx, "", "wait", "t", "--strict")
		t.run(ctx, "", "wait", "nothing")
		t.is("usage")
	})

	It("run -- CMD", Serial, func(ctx SpecContext) {
		t := newTranscript(ctx, "row-run")
		t.run(ctx, "", "run", "--", "echo", "ran")
		succeed(ctx, t.namespace, canary, "set", "t", "--env", "T", "--wait")
		t.run(ctx, "", "run", "--user", "--", "sh", "-c", "echo ${T:+set}")
		t.run(ctx, "", "run", "--", "sh", "-c", "exit 7")
		t.run(ctx, "", "run", "--", "no-such-command")
		t.run(ctx, "", "run", "--user", "--agent", "--", "true")
		t.run(ctx, "", "run", "true")
		t.run(ctx, "", "run", "--", "A=b", "true")
		t.is("run")
	})

	It("plan -f", func(ctx SpecContext) {
		t := newTranscript(ctx, "row-plan")
		for _, name := range []string{"a", "b"} {
			succeed(ctx, t.namespace, canary+"-"+name, "set", name, "--env", strings.ToUpper(name), "--wait")
		}
		deployment(ctx, t.namespace, "web")
		runningPod(ctx, t.namespace, "bare", 48*time.Hour)
		same := manifest("UserSecret", t.namespace, "a", "envName: A\nvalue: "+canary+"-a")
		text := same + manifest("UserSecret", t.namespace, "b", "envName: B2\nvalue: "+canary+"-other") +
			manifest("UserSecret", t.namespace, "c", "filePath: ~/.c\nvalue: "+canary+"-c") + manifest("UserSecret", t.namespace, "d", "envName: A\nvalue: "+canary+"-d")
		t.run(ctx, text, "plan", "-f", "-")
		t.run(ctx, same, "plan", "-f", "-", "--exit-code")
		t.run(ctx, same, "plan", "-f", "-", "-o", "yaml")
		t.run(ctx, "", "plan")
		writer(ctx, t.namespace, "row-plan-manager")
		Eventually(ctx, func() int { return run(ctx, t.namespace, "", "list", "--as", "row-plan-manager").code }).Should(Equal(0))
		t.run(ctx, text, "plan", "-f", "-", "--as", "row-plan-manager")
		t.is("plan")
	})

	It("whoami, can-i, completion, version", func(ctx SpecContext) {
		t := newTranscript(ctx, "row-whoami")
		kubectl(ctx, "label", "namespace", t.namespace, v1alpha1.LabelUser+"="+t.namespace)
		grant(ctx, t.namespace, t.namespace, "latchkey-view")
		Eventually(ctx, func() int { return run(ctx, t.namespace, "", "list", "--as", t.namespace).code }).Should(Equal(0))
		t.run(ctx, "", "whoami", "--as", t.namespace)
		t.run(ctx, "", "whoami", "--as", t.namespace, "-o", "yaml")
		for _, action := range []string{"set", "reveal", "run", "rotate"} {
			t.run(ctx, "", "can-i", action)
			t.run(ctx, "", "can-i", action, "--as", t.namespace)
		}
		t.run(ctx, "", "can-i", "set", "--as", t.namespace, "-o", "json")
		t.run(ctx, "", "can-i", "fly")
		for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
			t.note(firstLine(runBare(ctx, "", "completion", shell)), "", []string{"completion", shell})
		}
		t.runBare(ctx, "", "version")
		t.runBare(ctx, "", "version", "-o", "json")
		t.runBare(ctx, "", "version", "--client", "--kubeconfig", "/nowhere")
		t.runBare(ctx, "", "lsit")
		t.runBare(ctx, "", "hunter2")
		nowhere := unreachable(GinkgoT().TempDir())
		t.hide(nowhere, "NOWHERE")
		for _, command := range [][]string{{"version"}, {"list"}, {"whoami"}} {
			t.run(ctx, "", append(command, "--kubeconfig", nowhere)...)
		}
		t.is("whoami")
	})
})

// unreachable returns a kubeconfig that leads to nobody.
func unreachable(dir string) string {
	GinkgoHelper()
	return file(dir, "kubeconfig", kubeconfigOf("https://127.0.0.1:1"))
}
