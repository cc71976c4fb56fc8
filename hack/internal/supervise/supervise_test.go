// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The test binary is the parent and plays the processes of the stack.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 2 && os.Args[1] == "keep":
		k := keeperIn(os.Args[2])
		if err := k.Keep(context.Background()); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case len(os.Args) > 2 && os.Args[1] == "play":
		play(os.Args[2])
	default:
		os.Exit(m.Run())
	}
}

func play(part string) {
	terminated := make(chan os.Signal, 1)
	switch part {
	case "polite":
		signal.Notify(terminated, syscall.SIGTERM)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	case "crash":
		fmt.Println("cannot listen")
		os.Exit(3)
	}
	fmt.Println("listening")
	<-terminated
}

func keeperIn(dir string) Keeper {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return Keeper{Dir: dir, Logs: filepath.Join(dir, "log"), Socket: filepath.Join(dir, "sock"), Argv: []string{self, "keep", dir}}
}

// started returns a keeper whose parent runs until the test is over.
func started(t *testing.T) Keeper {
	t.Helper()
	k := keeperIn(t.TempDir())
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.End(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return k
}

func player(k Keeper, name, part string) Process {
	return Process{
		Name: name,
		Argv: []string{k.Argv[0], "play", part},
		Ready: func(context.Context) error {
			if content, err := os.ReadFile(k.Log(name)); string(content) != "listening\n" {
				return errors.Join(errors.New("not listening yet"), err)
			}
			return nil
		},
		Patience: 30 * time.Second,
	}
}

// ensured returns the status of a process that Ensure left running.
func ensured(t *testing.T, k Keeper, p Process, wantOutcome string) Status {
	t.Helper()
	outcome, err := k.Ensure(t.Context(), p)
	if err != nil || outcome != wantOutcome {
		t.Fatalf("outcome %q, %v, want %q", outcome, err, wantOutcome)
	}
	return status(t, k, p.Name)
}

func status(t *testing.T, k Keeper, name string) Status {
	t.Helper()
	list, err := k.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("%s is not among %v", name, list)
	return Status{}
}

// eventually waits for what a process of another one's does.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if err := Eventually(t.Context(), 30*time.Second, func(context.Context) error {
		if !holds() {
			return errors.New(what)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestEnsure_ProcessThatRuns_IsRestartedWhereItChanged(t *testing.T) {
	k := started(t)
	input := filepath.Join(k.Dir, "input")
	write := func(content string, at time.Time) {
		t.Helper()
		if err := errors.Join(os.WriteFile(input, []byte(content), 0o600), os.Chtimes(input, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	write("one", time.Unix(1, 0))
	p := player(k, "player", "polite")
	p.Files = []string{input}
	first := ensured(t, k, p, "ready")
	write("one", time.Unix(2, 0)) // a build that changes nothing
	if second := ensured(t, k, p, "already running"); second.PID != first.PID {
		t.Error("a process that runs was started again")
	}
	ensured(t, k, player(k, "later", "polite"), "ready")
	write("two", time.Unix(2, 0))
	third := ensured(t, k, p, "changed, restarted")
	p.Argv = append(p.Argv, "another argument")
	ensured(t, k, p, "changed, restarted")
	if !gone(first.PID) || !gone(third.PID) {
		t.Error("a process with the old input or the old arguments still runs")
	}
	// What was started later needs what was started before, and is ended first.
	if list, err := k.List(t.Context()); err != nil || len(list) != 2 || list[0].Name != "player" {
		t.Errorf("the processes are %v, %v, want them in the order in which they were first started", list, err)
	}
}

func TestParent_ProcessThatIsKilled_RunsAgain(t *testing.T) {
	k := started(t)
	p := player(k, "player", "polite")
	first := ensured(t, k, p, "ready")
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it does not run again", func() bool { s := status(t, k, "player"); return s.PID != 0 && s.PID != first.PID })
	ensured(t, k, p, "already running")
	if _, err := os.Stat(k.Log("player") + ".old"); err != nil {
		t.Errorf("the log of the run before: %v", err)
	}
}

func TestEnsure_ProcessThatEnds_NamesItsLog(t *testing.T) {
	k := started(t)
	_, err := k.Ensure(t.Context(), player(k, "player", "crash"))
	var failed *Failure
	if !errors.As(err, &failed) {
		t.Fatalf("error %v, want a Failure", err)
	}
	var out strings.Builder
	Explain(&out, "test", fmt.Errorf("player: %w", err))
	want := "test: player: the process ended before it was ready\ntest: the end of " + failed.Log + ":\n  cannot listen\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("explained (-want +got):\n%s", diff)
	}
}

func TestStop_ProcessesOfAParent_EndAndStayAway(t *testing.T) {
	k := started(t)
	one, two := ensured(t, k, player(k, "one", "polite"), "ready"), ensured(t, k, player(k, "two", "polite"), "ready")
	for _, want := range []bool{true, false} {
		if got, err := k.Stop(t.Context(), "one"); err != nil || got != want {
			t.Errorf("stop: %t, %v; want %t", got, err, want)
		}
	}
	if !gone(one.PID) || gone(two.PID) {
		t.Error("not the one that was stopped ended")
	}
	if err := k.End(t.Context()); err != nil || !gone(two.PID) || k.Running(t.Context()) {
		t.Errorf("end: %v; the process is gone: %t", err, gone(two.PID))
	}
	if list, err := k.List(t.Context()); len(list) != 0 || err != nil {
		t.Errorf("without a parent: %v, %v", list, err)
	}
}

func TestStart_ParentWasKilled_NothingOfItIsLeftAndAnotherComes(t *testing.T) {
	k := started(t)
	child := ensured(t, k, player(k, "player", "stubborn"), "ready")
	out, err := exec.CommandContext(t.Context(), "ps", "-o", "ppid=", "-p", fmt.Sprint(child.PID)).Output()
	var parent int
	if _, serr := fmt.Sscan(string(out), &parent); err != nil || serr != nil {
		t.Fatal(err, serr)
	}
	if err := syscall.Kill(parent, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a process outlives its parent", func() bool { return gone(child.PID) })
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ensured(t, k, player(k, "player", "polite"), "ready")
}

func TestEventually_TimeIsOver_SaysWhatFailedLast(t *testing.T) {
	err := Eventually(t.Context(), time.Millisecond, func(context.Context) error { return errors.New("not yet") })
	if err == nil || err.Error() != "not within 1ms: not yet" {
		t.Errorf("error %v", err)
	}
}

func TestWithLock_HeldByAnother_WaitsAndSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, done, waited := make(chan struct{}), make(chan struct{}), false
	go func() {
		_ = WithLock(context.Background(), path, func() {}, func(context.Context) error {
			close(held)
			<-done
			return nil
		})
	}()
	<-held
	err := WithLock(t.Context(), path, func() { waited = true; close(done) }, func(context.Context) error { return nil })
	if err != nil || !waited {
		t.Errorf("lock: %v, waited: %t", err, waited)
	}
}

func TestRenderEnv_AnyValue_IsWhatAShellReads(t *testing.T) {
	file := RenderEnv("A comment.", []Variable{{"A", `it's $HOME; "x"`}, {"EMPTY", ""}})
	out, err := exec.CommandContext(t.Context(), "sh", "-c", string(file)+`printf %s "$A ${EMPTY-unset}"`).Output()
	if err != nil || string(out) != `it's $HOME; "x" unset` {
		t.Errorf("a shell reads %q, %v", out, err)
	}
}
