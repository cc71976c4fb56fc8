// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// withSecrets makes a namespace with a user's secret, which is a variable and a file, and
// an agent's, and waits until both are projected.
func withSecrets(ctx context.Context) string {
	GinkgoHelper()
	ns := newTenant(ctx)
	succeed(ctx, ns, canary+"-user", "set", "t", "--env", "T", "--file", "~/.config/t", "--wait")
	succeed(ctx, ns, canary+"-agent", "agent", "set", "db/password", "--type", "string")
	Eventually(func() error {
		bundle := &corev1.Secret{}
		return api.Get(ctx, client.ObjectKey{Namespace: ns, Name: v1alpha1.BundleAgentEnv}, bundle)
	}).Should(Succeed())
	return ns
}

// started is a command that runs by the plugin.
type started struct {
	*exec.Cmd
	dir string
}

// startRun starts the plugin's run with a shell script, which has the folder OUT to write to.
func startRun(ctx context.Context, namespace, script string, flags ...string) *started {
	GinkgoHelper()
	s := &started{dir: GinkgoT().TempDir()}
	args := append(append([]string{"-n", namespace, "run"}, flags...), "--", "sh", "-c", script)
	s.Cmd = exec.CommandContext(ctx, plugin, args...)
	s.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + cluster.Dir, "KUBECONFIG=" + filepath.Join(cluster.Dir, "admin.kubeconfig"), "OUT=" + s.dir,
		framework.EndAtOnce,
	}
	s.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // without a terminal
	Expect(s.Start()).To(Succeed())
	return s
}

// wrote returns what the script wrote to a file; "" for nothing yet.
func (s *started) wrote(name string) func() string {
	return func() string {
		text, _ := os.ReadFile(filepath.Join(s.dir, name))
		return strings.TrimSpace(string(text))
	}
}

func (s *started) code() int {
	_ = s.Wait()
	return s.ProcessState.ExitCode()
}

// folders returns the folders in memory that runs have.
func folders() []string {
	found, err := filepath.Glob("/dev/shm/latchkey-run-*")
	Expect(err).NotTo(HaveOccurred())
	return found
}

const stay = `; echo $$ > $OUT/pid; while :; do sleep 0.05; done`

var _ = Describe("run", Serial, func() {
	It("gives one process the variables and the files, in memory, for the caller alone", func(ctx SpecContext) {
		ns := withSecrets(ctx)
		s := startRun(ctx, ns, `printf %s "$T" > $OUT/user; printf %s "$DB_PASSWORD" > $OUT/agent
			cat $LATCHKEY_FILES/user/t > $OUT/userfile; cat $LATCHKEY_FILES/agent/db.password > $OUT/agentfile
			cat $LATCHKEY_FILES/agent/secrets.json > $OUT/tree
			stat -c %a $LATCHKEY_FILES $LATCHKEY_FILES/user $LATCHKEY_FILES/user/t $LATCHKEY_FILES/agent/secrets.json | xargs > $OUT/modes
			stat -f -c %T $LATCHKEY_FILES > $OUT/type; ls -A $HOME/.config > $OUT/home 2>&1; echo $PPID > $OUT/ppid; echo $LATCHKEY_FILES > $OUT/folder`+stay)
		Eventually(s.wrote("pid")).ShouldNot(BeEmpty())
		for file, want := range map[string]string{
			"user": canary + "-user", "userfile": canary + "-user", "agent": canary + "-agent", "agentfile": canary + "-agent",
			"tree": `{"db":{"password":"` + canary + `-agent"}}`, "modes": "700 700 400 400", "type": "tmpfs",
		} {
			Expect(s.wrote(file)()).To(Equal(want), file)
		}
		Expect(s.wrote("home")()).NotTo(ContainSubstring("\nt\n"), "nothing is written into the home")
		for _, of := range []string{"environ", "cmdline"} {
			text, err := os.ReadFile("/proc/" + s.wrote("ppid")() + "/" + of)
			Expect(err).NotTo(HaveOccurred())
			Expect(string(text)).NotTo(ContainSubstring(canary), "the process in front of the command")
		}
		text, err := os.ReadFile("/proc/" + s.wrote("pid")() + "/cmdline")
		Expect(err).NotTo(HaveOccurred())
		Expect(string(text)).NotTo(ContainSubstring(canary))
		Expect(s.Process.Signal(syscall.SIGTERM)).To(Succeed())
		Expect(s.code()).To(Equal(143))
		Expect(s.wrote("folder")()).NotTo(BeADirectory())
	})

	It("ends with exactly the code of the command", func(ctx SpecContext) {
		ns := withSecrets(ctx)
		for script, want := range map[string]int{
			"exit 0": 0, "exit 1": 1, "exit 2": 2, "exit 3": 3, "exit 5": 5, "exit 130": 130, "exit 255": 255,
			"kill -HUP $$": 129, "kill -INT $$": 130, "kill -QUIT $$": 131, "kill -KILL $$": 137, "kill -SEGV $$": 139, "kill -TERM $$": 143,
			"true | false": 1,
		} {
			Expect(run(ctx, ns, "", "run", "--", "sh", "-c", script)).To(Equal(result{code: want}), script)
			Expect(folders()).To(BeEmpty(), script)
		}
		Expect(run(ctx, ns, "input", "run", "--", "cat")).To(Equal(result{stdout: "input"}))
		notRunnable := file(GinkgoT().TempDir(), "not-runnable", "")
		for command, want := range map[string]int{"no-such-command": 127, "/no/such/command": 127, notRunnable: 126} {
			got := run(ctx, ns, "", "run", "--", command)
			Expect(got.code).To(Equal(want), got.stderr)
			Expect(got.stderr).To(HavePrefix("error: "))
			Expect(folders()).To(BeEmpty(), command)
		}
	})

	It("refuses what is no command, without repeating it", func(ctx SpecContext) {
		for _, args := range [][]string{{"run"}, {"run", "--"}, {"run", "ls"}, {"run", "ls", "--", "ls"}, {"run", "--", "A=secret-9", "ls"}, {"run", "--user", "--agent", "--", "ls"}} {
			got := run(ctx, "default", "", args...)
			Expect(got.code).To(Equal(2), "%v", args)
			Expect(got.stderr).NotTo(ContainSubstring("secret-9"))
		}
	})

	DescribeTable("passes a signal to the process on, once, and leaves no file",
		func(ctx SpecContext, signal syscall.Signal, name string) {
			s := startRun(ctx, withSecrets(ctx), `n=0; trap 'n=$((n+1)); echo $n > $OUT/got' `+name+`; trap 'exit 9' `+other(name)+`; echo $LATCHKEY_FILES > $OUT/folder`+stay)
			Eventually(s.wrote("pid")).ShouldNot(BeEmpty())
			Expect(s.wrote("folder")()).To(BeADirectory())
			Expect(s.Process.Signal(signal)).To(Succeed())
			Eventually(s.wrote("got")).Should(Equal("1"))
			Consistently(s.wrote("got"), 200*time.Millisecond).Should(Equal("1"))
			Expect(s.Process.Signal(map[bool]syscall.Signal{true: syscall.SIGUSR1, false: syscall.SIGTERM}[name == "TERM"])).To(Succeed())
			Expect(s.code()).To(Equal(9))
			Expect(s.wrote("folder")()).NotTo(BeADirectory())
		},
		Entry(nil, syscall.SIGHUP, "HUP"), Entry(nil, syscall.SIGINT, "INT"), Entry(nil, syscall.SIGQUIT, "QUIT"), Entry(nil, syscall.SIGTERM, "TERM"),
		Entry(nil, syscall.SIGUSR1, "USR1"), Entry(nil, syscall.SIGUSR2, "USR2"), Entry(nil, syscall.SIGWINCH, "WINCH"),
	)

	It("leaves no file after the command was killed, and clears up after a run that was killed itself", func(ctx SpecContext) {
		ns := withSecrets(ctx)
		s := startRun(ctx, ns, `echo $LATCHKEY_FILES > $OUT/folder`+stay)
		Eventually(s.wrote("pid")).ShouldNot(BeEmpty())
		Expect(syscall.Kill(number(s.wrote("pid")()), syscall.SIGKILL)).To(Succeed())
		Expect(s.code()).To(Equal(137))
		Expect(s.wrote("folder")()).NotTo(BeADirectory())

		s = startRun(ctx, ns, `echo $LATCHKEY_FILES > $OUT/folder`+stay)
		Eventually(s.wrote("pid")).ShouldNot(BeEmpty())
		beside := startRun(ctx, ns, `echo $LATCHKEY_FILES > $OUT/folder`+stay)
		Eventually(beside.wrote("pid")).ShouldNot(BeEmpty())
		Expect(s.wrote("folder")()).To(BeADirectory(), "a run removes nothing of one that goes on")
		Expect(s.Process.Kill()).To(Succeed())
		Expect(s.code()).To(Equal(-1))
		Expect(syscall.Kill(number(s.wrote("pid")()), syscall.SIGKILL)).To(Succeed())
		Expect(s.wrote("folder")()).To(BeADirectory(), "nobody could remove it")
		succeed(ctx, ns, "", "run", "--", "true")
		Expect(s.wrote("folder")()).NotTo(BeADirectory())
		Expect(beside.wrote("folder")()).To(BeADirectory())
		Expect(beside.Process.Signal(syscall.SIGTERM)).To(Succeed())
		Expect(beside.code()).To(Equal(143))
		Expect(folders()).To(BeEmpty())
	})

	It("gives the side that is asked for, needs no more rights than that, and logs no value", func(ctx SpecContext) {
		ns := withSecrets(ctx)
		const which = `echo ${T:+user} ${DB_PASSWORD:+agent} ${LATCHKEY_FILES:+files}`
		Expect(succeed(ctx, ns, "", "run", "--", "sh", "-c", which)).To(Equal("user agent files\n"))
		Expect(succeed(ctx, ns, "", "run", "--user", "--", "sh", "-c", which)).To(Equal("user files\n"))
		Expect(succeed(ctx, ns, "", "run", "--agent", "--env-only", "--", "sh", "-c", which)).To(Equal("agent\n"))
		logged := run(ctx, ns, "", "run", "-v=9", "--", "true")
		Expect(logged.code).To(Equal(0))
		Expect(logged.stderr).To(ContainSubstring("Config loaded from file"), "it is that verbose")

		role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "reader"}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{v1alpha1.BundleUserEnv}, Verbs: []string{"get"},
		}}}
		Expect(api.Create(ctx, role)).To(Succeed())
		Expect(api.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "reader"}, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "reader"},
			Subjects: []rbacv1.Subject{{Kind: "User", Name: "reader"}},
		})).To(Succeed())
		Eventually(func() result {
			return run(ctx, ns, "", "run", "--user", "--env-only", "--as", "reader", "--", "sh", "-c", which)
		}).Should(Equal(result{stdout: "user\n"}))
		got := run(ctx, ns, "", "run", "--as", "reader", "--", "sh", "-c", "echo ran")
		Expect(got).To(And(ends(3), notices(ContainSubstring("reader may not get secrets latchkey-agent-env, latchkey-agent-files, latchkey-user-env, latchkey-user-files in namespace "+ns))))
		Expect(got.stdout).To(BeEmpty())
	})

	It("says where there is nothing, and uses no Secret that is not Latchkey's", func(ctx SpecContext) {
		ns := newTenant(ctx)
		Expect(run(ctx, ns, "", "run", "--", "true")).To(Equal(result{stderr: "Namespace " + ns + " has no secrets that are projected.\n"}))
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: v1alpha1.BundleAgentEnv}, StringData: map[string]string{"LD_PRELOAD": "/tmp/x.so"}}
		Expect(api.Create(ctx, foreign)).To(Succeed())
		Expect(run(ctx, ns, "", "run", "--", "echo", "ran")).To(And(ends(3), notices(ContainSubstring("is not Latchkey's"))))
	})
})

// other is the signal with which a spec ends a command that counts another one.
func other(name string) string {
	if name == "TERM" {
		return "USR1"
	}
	return "TERM"
}

func number(text string) int {
	GinkgoHelper()
	n, err := strconv.Atoi(text)
	Expect(err).NotTo(HaveOccurred())
	return n
}

var _ = Describe("run on a terminal", Serial, func() {
	It("leaves the terminal to the command: Ctrl-C once, the size, and whether it is one", func(ctx SpecContext) {
		ns := withSecrets(ctx)
		t := onTerminal(ctx, ns, "run", "--", "sh", "-c", `n=0; trap 'n=$((n+1)); echo int $n' INT; trap 'echo size $(stty size)' WINCH; trap 'exit 7' USR1
			test -t 0 && test -t 1 && test -t 2 && echo pid $$ on a terminal; while :; do sleep 0.05; done`)
		Eventually(t.screen).Should(MatchRegexp(`pid \d+ on a terminal`))
		t.enter("\x03")
		Eventually(t.screen).Should(ContainSubstring("int 1"))
		Consistently(t.screen, 200*time.Millisecond).ShouldNot(ContainSubstring("int 2"))
		t.resize(33, 111)
		Eventually(t.screen).Should(ContainSubstring("size 33 111"))
		Expect(t.command.Process.Signal(syscall.SIGUSR1)).To(Succeed())
		Expect(t.end()).To(Equal(7), t.screen())
		Expect(folders()).To(BeEmpty())
	})

	It("is stopped and continued by a shell, and can be one part of a pipeline", func(ctx SpecContext) {
		ns := withSecrets(ctx)
		shell := exec.CommandContext(ctx, "bash", "--norc", "--noprofile", "--noediting", "-i")
		shell.Env = []string{"PS1=ready> ", "P=" + plugin + " -n " + ns}
		t := commandOnTerminal(shell)
		Eventually(t.screen).Should(HaveSuffix("ready> "))
		t.enter(`$P run -- sh -c 'echo began; read line; echo line $line; exit 6'` + "\n")
		Eventually(t.screen).Should(ContainSubstring("began\r"))
		t.enter("\x1a")
		Eventually(t.screen).Should(MatchRegexp(`Stopped .*\n(.*\n)*ready> $`))
		t.enter("fg\n")
		Eventually(t.screen).Should(MatchRegexp(`ready> fg\r\n.*run -- sh`))
		t.enter("typed\n")
		Eventually(t.screen).Should(ContainSubstring("line typed\r"))
		t.enter("echo code $?\n")
		Eventually(t.screen).Should(ContainSubstring("code 6\r"))
		t.enter("$P run -- printf 'b\\na\\n' | sort | xargs echo sorted\n")
		Eventually(t.screen).Should(ContainSubstring("sorted a b\r"))
		t.enter("$P run -- bash --norc --noprofile -ic 'sleep 97.25; exit 4'\n")
		Eventually(func() string { return children(ctx, "sleep 97.25") }).ShouldNot(BeEmpty())
		t.enter("\x03")
		Eventually(func() string { return children(ctx, "sleep 97.25") }).Should(BeEmpty())
		t.enter("echo after $?\n")
		Eventually(t.screen).Should(ContainSubstring("after 1\r"), "as bash does by itself")
		t.enter("exit 0\n")
		Expect(t.end()).To(Equal(0), t.screen())
		Expect(folders()).To(BeEmpty())
	})
})

// children returns the processes of a command line.
func children(ctx context.Context, commandLine string) string {
	out, _ := exec.CommandContext(ctx, "pgrep", "-fx", commandLine).Output() // status 1 for none
	return string(out)
}
