// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/creack/pty"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// terminal is a command on a terminal.
type terminal struct {
	command *exec.Cmd
	file    *os.File
	mu      sync.Mutex
	text    []byte
	done    chan struct{}
}

// onTerminal runs the plugin in a namespace.
func onTerminal(ctx context.Context, namespace string, args ...string) *terminal {
	GinkgoHelper()
	return onTerminalWith(ctx, "", namespace, args...)
}

// onTerminalWith is onTerminal with a variable in the environment.
func onTerminalWith(ctx context.Context, variable, namespace string, args ...string) *terminal {
	GinkgoHelper()
	command := exec.CommandContext(ctx, plugin, append([]string{"-n", namespace}, args...)...)
	command.Env = []string{variable}
	return commandOnTerminal(command)
}

func commandOnTerminal(command *exec.Cmd) *terminal {
	GinkgoHelper()
	t := &terminal{command: command, done: make(chan struct{})}
	t.command.Env = append(t.command.Env, "PATH="+os.Getenv("PATH"), "HOME="+cluster.Dir, "KUBECONFIG="+filepath.Join(cluster.Dir, "admin.kubeconfig"), framework.EndAtOnce)
	var err error
	t.file, err = pty.Start(t.command)
	Expect(err).NotTo(HaveOccurred())
	go func() {
		defer close(t.done)
		buffer := make([]byte, 4096)
		for {
			n, err := t.file.Read(buffer)
			t.mu.Lock()
			t.text = append(t.text, buffer[:n]...)
			t.mu.Unlock()
			if err != nil { // EIO once nobody has the other end
				return
			}
		}
	}()
	return t
}

// screen returns all that was shown so far.
func (t *terminal) screen() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

func (t *terminal) enter(text string) {
	GinkgoHelper()
	_, err := io.WriteString(t.file, text)
	Expect(err).NotTo(HaveOccurred())
}

func (t *terminal) resize(rows, columns uint16) {
	GinkgoHelper()
	Expect(pty.Setsize(t.file, &pty.Winsize{Rows: rows, Cols: columns})).To(Succeed())
}

func (t *terminal) end() int {
	GinkgoHelper()
	err := t.command.Wait()
	var exit *exec.ExitError
	Expect(err == nil || errors.As(err, &exit)).To(BeTrue())
	<-t.done
	_ = t.file.Close()
	return t.command.ProcessState.ExitCode()
}

var _ = Describe("a terminal", func() {
	It("has colours, but for those who want none", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, "", "set", "t", "--env", "T", "--from", "missing/key")
		Eventually(func() string { return succeed(ctx, ns, "", "list") }).Should(And(ContainSubstring("Not ready: SourceNotFound"), Not(ContainSubstring("\x1b"))))
		for variable, coloured := range map[string]bool{"": true, "NO_COLOR=1": false, "TERM=dumb": false} {
			for _, args := range [][]string{{"usage", "t"}, {"describe", "t"}, {"doctor", "--tenant"}} {
				t := onTerminalWith(ctx, variable, ns, args...)
				t.end()
				Expect(strings.Contains(t.screen(), "\x1b[31m")).To(Equal(coloured), "%s with %q: %q", args, variable, t.screen())
				Expect(strings.Contains(t.screen(), "\x1b")).To(Equal(coloured), "%s with %q: %q", args, variable, t.screen())
			}
			t := onTerminalWith(ctx, variable, ns, "list")
			t.end()
			Expect(t.screen()).To(MatchRegexp(`t +UserSecret +Not ready: SourceNotFound +T `), "tables show no codes of colours")
		}
	})

	It("is not moved by what others wrote", func(ctx SpecContext) {
		ns := newTenant(ctx)
		const evil = "\x1b]0;title\x07\x1b[2J\u009b2J\u202e\r"
		kubectl(ctx, "label", "namespace", ns, "latchkey.dev/user="+ns, "latchkey.dev/injection=enabled")
		for _, name := range []string{"a", "b"} {
			spec := v1alpha1.UserSecretSpec{Name: name + evil + "x", EnvName: "T", FilePath: "~/" + evil + name, Description: "line" + evil + "\nState: fine", Value: v1alpha1.WriteOnlyString("a plain value")}
			if name == "b" {
				spec.EnvName = "U"
			}
			Expect(api.Create(ctx, framework.UserSecret(ns, name, spec))).To(Succeed())
		}
		webPod(ctx, ns, func(p *corev1.Pod) { p.Annotations = map[string]string{"latchkey.dev/skip-containers": evil} })
		for _, args := range [][]string{{"describe", "a"}, {"list", "-o", "wide"}, {"usage", "a"}, {"doctor", "--tenant"}, {"delete", "a", "b", "--dry-run=server"}, {"describe", "c"}} {
			t := onTerminalWith(ctx, "NO_COLOR=1", ns, args...)
			t.end()
			Expect(strings.ReplaceAll(t.screen(), "\r\n", "")).NotTo(MatchRegexp("[\x00-\x08\x0b-\x1f\x7f-\u009f\u202e]"), "%s: %q", args, t.screen())
		}
		Expect(succeed(ctx, ns, "", "describe", "a")).To(MatchRegexp(`\nDescription: +line.*\n {14}State: fine\n`))
	})

	It("asks for a value, and shows nothing of it", func(ctx SpecContext) {
		ns := newTenant(ctx)
		t := onTerminal(ctx, ns, "set", "t", "--env", "T")
		Eventually(t.screen).Should(Equal("Value of t (it is not shown): "))
		t.enter(canary + "-typed\n")
		Expect(t.end()).To(Equal(0), t.screen())
		Expect(t.screen()).To(Equal("Value of t (it is not shown): \r\nusersecret.latchkey.dev/t created\r\n"))
		Eventually(projected(ctx, ns, "T")).Should(Equal(canary + "-typed"))
	})

	It("refuses a value that it would cut, and changes nothing", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, canary, "set", "t", "--env", "T")
		succeed(ctx, ns, canary, "agent", "set", "a", "--type", "string", "--name", "a")
		settled(ctx, ns, 2)
		const long, lines = "value: a terminal cuts a line after 4095 bytes, so this may not be all of it", "value: it has more than one line, and a terminal gives one"
		for typed, why := range map[string]string{
			canary + strings.Repeat("x", 4095-len(canary)) + "\n": long,
			canary + strings.Repeat("x", 9000) + "\n":             long,
			canary + "-one\n" + canary + "-two\n":                 lines,
			canary + "-one\n" + canary + "-without an end":        lines,
		} {
			for _, args := range [][]string{{"set", "t"}, {"set", "new"}, {"agent", "set", "a"}, {"seal", "x"}} {
				before := succeed(ctx, ns, "", "list", "-o", "yaml")
				t := onTerminal(ctx, ns, args...)
				Eventually(t.screen).Should(ContainSubstring("(it is not shown): "))
				t.enter(typed)
				Expect(t.end()).To(Equal(3), "%s: %s", args, t.screen())
				Expect(t.screen()).To(HaveSuffix("\r\nerror: " + why + ": nothing was changed. Pipe the value to standard input, or use --value-file. See kubectl latchkey " +
					strings.Join(args[:len(args)-1], " ") + " --help\r\n"))
				Expect(t.screen()).NotTo(ContainSubstring(canary), "what was typed is not left to the shell, which would show it")
				Expect(succeed(ctx, ns, "", "list", "-o", "yaml")).To(Equal(before))
			}
		}
		t := onTerminal(ctx, ns, "set", "t")
		Eventually(t.screen).Should(ContainSubstring("it is not shown"))
		t.enter(canary + strings.Repeat("x", 4094-len(canary)) + "\n")
		Expect(t.end()).To(Equal(0), t.screen())
		Eventually(projected(ctx, ns, "T")).Should(HaveLen(4094))
	})

	It("takes an empty line for no value", func(ctx SpecContext) {
		ns := newTenant(ctx)
		t := onTerminal(ctx, ns, "set", "t")
		Eventually(t.screen).Should(ContainSubstring("it is not shown"))
		t.enter("\n")
		Expect(t.end()).To(Equal(3), t.screen())
		Expect(t.screen()).To(ContainSubstring("no value was typed: nothing was changed"))
		Expect(succeed(ctx, ns, "", "list", "-o", "name")).To(BeEmpty())
	})

	It("ends with 130 when it is interrupted, and stores nothing", func(ctx SpecContext) {
		ns := newTenant(ctx)
		t := onTerminal(ctx, ns, "set", "t")
		Eventually(t.screen).Should(ContainSubstring("it is not shown"))
		t.enter("\x03")
		Expect(t.end()).To(Equal(130), t.screen())
		Expect(succeed(ctx, ns, "", "list", "-o", "name")).To(BeEmpty())
	})

	It("asks before it writes what it previewed, and deletes a secret of agents", func(ctx SpecContext) {
		ns := newTenant(ctx)
		env := file(GinkgoT().TempDir(), "x.env", "A="+canary+"\n")
		const preview = "KEY   ENV   ACTION   WHY\r\nA     A     create   \r\n"
		succeed(ctx, ns, canary, "agent", "set", "a", "--type", "string", "--name", "a")
		for _, asks := range []struct {
			question, done string
			args           []string
		}{
			{preview + "Write 1 secret to namespace " + ns + "? [y/N] ", "1 secret written.\r\n", []string{"import", env}},
			{"Delete agent secret a of namespace " + ns + "? [y/N] ", "a deleted\r\n", []string{"agent", "delete", "a"}},
		} {
			for answer, code := range map[string]int{"": 3, "no": 3} {
				t := onTerminal(ctx, ns, asks.args...)
				Eventually(t.screen).Should(Equal(asks.question))
				t.enter(answer + "\n")
				Expect(t.end()).To(Equal(code), t.screen())
				Expect(t.screen()).To(HaveSuffix("Nothing was changed.\r\n"))
			}
			t := onTerminal(ctx, ns, asks.args...)
			Eventually(t.screen).Should(Equal(asks.question))
			t.enter("yes\n")
			Expect(t.end()).To(Equal(0), t.screen())
			Expect(t.screen()).To(HaveSuffix("\n" + asks.done))
		}
	})

	It("asks before it deletes, and takes anything but yes for a no", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, canary, "set", "t")
		t := onTerminal(ctx, ns, "delete", "t")
		Eventually(t.screen).Should(Equal("Delete UserSecret t? Nobody can bring the values back. [y/N] "))
		t.enter("\n")
		Expect(t.end()).To(Equal(3), t.screen())
		t = onTerminal(ctx, ns, "delete", "t")
		Eventually(t.screen).Should(ContainSubstring("[y/N]"))
		t.enter("y\n")
		Expect(t.end()).To(Equal(0), t.screen())
		Expect(succeed(ctx, ns, "", "list", "-o", "name")).To(BeEmpty())
	})
})
