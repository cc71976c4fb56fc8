// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The test binary plays the processes of the stack: it writes a line and then does what its first argument says.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "play" {
		play(os.Args[2])
		return
	}
	os.Exit(m.Run())
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

func newKeeper(t *testing.T) Keeper {
	t.Helper()
	dir := t.TempDir()
	return Keeper{Dir: dir, Logs: filepath.Join(dir, "log"), Records: filepath.Join(dir, "run")}
}

func player(t *testing.T, k Keeper, name, part string) Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Process{
		Name: name,
		Argv: []string{self, "play", part},
		Ready: func(context.Context) error {
			file, err := os.Open(k.Log(name))
			if err != nil {
				return err
			}
			defer func() { _ = file.Close() }()
			if line, err := bufio.NewReader(file).ReadString('\n'); line != "listening\n" {
				return errors.Join(errors.New("not listening yet"), err)
			}
			return nil
		},
		Patience: 30 * time.Second,
	}
}

func ensured(t *testing.T, k Keeper, p Process, wantOutcome string) Record {
	t.Helper()
	outcome, err := k.Ensure(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := k.Stop(context.Background(), p.Name); err != nil {
			t.Error(err)
		}
	})
	if outcome != wantOutcome {
		t.Errorf("outcome %q, want %q", outcome, wantOutcome)
	}
	r, err := k.Load(p.Name)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Running() {
		t.Fatal("the process is not running")
	}
	return r
}

func TestEnsureStartsOnceAndRestartsWhatChanged(t *testing.T) {
	k := newKeeper(t)
	input := filepath.Join(k.Dir, "input")
	write := func(content string) {
		if err := os.WriteFile(input, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	p := player(t, k, "player", "polite")
	p.Files = []string{input}
	first := ensured(t, k, p, "ready")
	if second := ensured(t, k, p, "already running"); second.PID != first.PID {
		t.Error("a process that runs was started again")
	}
	write("two")
	third := ensured(t, k, p, "changed, restarted")
	if first.Running() {
		t.Error("the process with the old input still runs")
	}
	p.Argv = append(p.Argv, "another argument")
	fourth := ensured(t, k, p, "changed, restarted")
	if third.Running() {
		t.Error("the process with the old arguments still runs")
	}
	if err := syscall.Kill(fourth.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, fourth)
	ensured(t, k, p, "ready")
}

func TestFingerprint_BuildThatChangesNothing_StaysTheSame(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	built := func(content string, at time.Time) string {
		t.Helper()
		if err := errors.Join(os.WriteFile(program, []byte(content), 0o600), os.Chtimes(program, at, at)); err != nil {
			t.Fatal(err)
		}
		sum, err := Process{Argv: []string{program}}.fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	first := built("one", time.Unix(1, 0))
	if got := built("one", time.Unix(2, 0)); got != first {
		t.Error("the same content, written again, has another fingerprint")
	}
	if got := built("two", time.Unix(2, 0)); got == first {
		t.Error("another content of the same size has the same fingerprint")
	}
}

func TestRevive_ProcessThatEnded_RunsAgain(t *testing.T) {
	k := newKeeper(t)
	first := ensured(t, k, player(t, k, "player", "polite"), "ready")
	revive := func(want bool) {
		t.Helper()
		if got, err := k.Revive(t.Context(), "player"); got != want || err != nil {
			t.Errorf("revived %t, %v, want %t", got, err, want)
		}
	}
	revive(false) // it runs
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, first)
	if ended, err := k.Ended(); len(ended) != 1 || err != nil {
		t.Errorf("ended are %v, %v, want one", ended, err)
	}
	revive(true)
	second, err := k.Load("player")
	if err != nil || !second.Running() || second.Fingerprint != first.Fingerprint {
		t.Errorf("it does not run again as before: %+v, %v", second, err)
	}
	ensured(t, k, player(t, k, "player", "polite"), "already running")
	if _, err := k.Stop(t.Context(), "player"); err != nil {
		t.Fatal(err)
	}
	revive(false) // it was stopped
}

func TestStartRecordsTheArgumentsOfAScriptAndOfAProgram(t *testing.T) {
	k := newKeeper(t)
	script := filepath.Join(k.Dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho listening\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, argv := range map[string][]string{
		"a script":                     {script, "a", "b c"},
		"a script without arguments":   {script},
		"a program":                    {"/bin/sh", "-c", "exit 0"},
		"a program that ends at once":  {"/bin/true"},
		"an argument that is empty":    {script, ""},
		"two arguments that are empty": {script, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := k.start(t.Context(), Process{Name: "player", Argv: argv}, "fingerprint")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.End(t.Context()); err != nil {
				t.Error(err)
			}
			if ended := len(r.Argv) == 0; ended {
				return // it was over before it could be looked at
			}
			if got := r.Argv[len(r.Argv)-len(argv)+1:]; !slices.Equal(got, argv[1:]) {
				t.Errorf("arguments %q, want %q", got, argv[1:])
			}
		})
	}
}

func TestAProcessThatIsEnteredIsRecordedAsWhatItBecomes(t *testing.T) {
	k := newKeeper(t)
	p := player(t, k, "player", "polite")
	p.Enter = []string{"/bin/sh", "-c", `exec "$@"`, "sh"}
	r := ensured(t, k, p, "ready")
	if diff := cmp.Diff(p.Argv, r.Argv); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	ensured(t, k, p, "already running")
	if stopped, err := k.Stop(t.Context(), p.Name); err != nil || !stopped {
		t.Errorf("stop: %t, %v; want it stopped", stopped, err)
	}
}

func awaitEnd(t *testing.T, r Record) {
	t.Helper()
	if err := Poll(t.Context(), time.Millisecond, func(context.Context) (bool, error) { return !r.Running(), nil }); err != nil {
		t.Fatal(err)
	}
}

func TestEnsureNamesTheLogOfAProcessThatEnded(t *testing.T) {
	k := newKeeper(t)
	_, err := k.Ensure(t.Context(), player(t, k, "player", "crash"))
	var failed *Failure
	if !errors.As(err, &failed) {
		t.Fatalf("error %v, want a Failure", err)
	}
	lines, err := LastLines(failed.Log, 20)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cannot listen"}, lines); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestStop(t *testing.T) {
	t.Run("a process ends, and a second time there is nothing to end", func(t *testing.T) {
		k := newKeeper(t)
		r := ensured(t, k, player(t, k, "player", "polite"), "ready")
		for _, want := range []bool{true, false} {
			if got, err := k.Stop(t.Context(), "player"); err != nil || got != want {
				t.Errorf("stop: %t, %v; want %t", got, err, want)
			}
		}
		if r.Running() {
			t.Error("the process still runs")
		}
	})
	t.Run("a stranger who has the process id of ours is left alone", func(t *testing.T) {
		for name, change := range map[string]func(*Record){
			"started at another time": func(r *Record) { r.StartTime++ },
			"another command line":    func(r *Record) { r.Argv = []string{"/bin/other"} },
		} {
			k := newKeeper(t)
			stranger := ensured(t, k, player(t, k, "stranger", "polite"), "ready")
			r := stranger
			change(&r)
			if err := k.save("ours", r); err != nil {
				t.Fatal(err)
			}
			if got, err := k.Stop(t.Context(), "ours"); err != nil || got {
				t.Errorf("%s: stop: %t, %v; want nothing stopped", name, got, err)
			}
			if !stranger.Running() {
				t.Errorf("%s: the stranger was ended", name)
			}
		}
	})
	t.Run("a command that is interrupted does not wait for a process that does not end", func(t *testing.T) {
		k := newKeeper(t)
		r := ensured(t, k, player(t, k, "player", "stubborn"), "ready")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := k.Stop(ctx, "player"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
		// It stays on record, so that the next down finds it.
		again, err := k.Load("player")
		if err != nil || !again.Running() {
			t.Errorf("on record: %+v, %v", again, err)
		}
		if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	})
}

func TestParseStat(t *testing.T) {
	tail := " 1 2 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 "
	for name, test := range map[string]struct {
		stat    string
		want    State
		wantErr bool
	}{
		"a process that runs":                                {stat: "7 (etcd) S" + tail + "4711 9 9", want: State{StartTime: 4711}},
		"one that nobody has collected has ended":            {stat: "7 (etcd) Z" + tail + "4711 9 9", want: State{Ended: true, StartTime: 4711}},
		"a name with spaces and parentheses misleads nobody": {stat: "7 (a) Z (b) R" + tail + "12 9", want: State{StartTime: 12}},
		"too few fields are an error":                        {stat: "7 (etcd) S 1 2", wantErr: true},
		"no name is an error":                                {stat: "7", wantErr: true},
		"a start time that is no number is an error":         {stat: "7 (etcd) S" + tail + "x 9", wantErr: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat(test.stat)
			if (err != nil) != test.wantErr {
				t.Fatalf("error %v, want one: %t", err, test.wantErr)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadStateKnowsItself(t *testing.T) {
	got, err := ReadState(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(os.Args, got.Argv); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	for _, pid := range []int{0, -1} {
		if _, err := ReadState(pid); err == nil {
			t.Errorf("process id %s is one", strconv.Itoa(pid))
		}
	}
}
