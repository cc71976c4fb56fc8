// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

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

func player(t *testing.T, l layout, name, part string) process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return process{
		name: name,
		argv: []string{self, "play", part},
		ready: func(context.Context) error {
			file, err := os.Open(l.log(name))
			if err != nil {
				return err
			}
			defer func() { _ = file.Close() }()
			if line, err := bufio.NewReader(file).ReadString('\n'); line != "listening\n" {
				return errors.Join(errors.New("not listening yet"), err)
			}
			return nil
		},
		patience: 30 * time.Second,
	}
}

func ensured(t *testing.T, l layout, p process, wantOutcome string) record {
	t.Helper()
	outcome, err := l.ensure(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := l.stop(context.Background(), p.name); err != nil {
			t.Error(err)
		}
	})
	if outcome != wantOutcome {
		t.Errorf("outcome %q, want %q", outcome, wantOutcome)
	}
	r, err := l.loadRecord(p.name)
	if err != nil {
		t.Fatal(err)
	}
	if !r.running() {
		t.Fatal("the process is not running")
	}
	return r
}

func TestEnsureStartsOnceAndRestartsWhatChanged(t *testing.T) {
	l := layout{root: t.TempDir()}
	input := filepath.Join(l.root, "input")
	write := func(content string) {
		if err := os.WriteFile(input, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	p := player(t, l, "player", "polite")
	p.files = []string{input}
	first := ensured(t, l, p, "ready")
	if second := ensured(t, l, p, "already running"); second.PID != first.PID {
		t.Error("a process that runs was started again")
	}
	write("two")
	third := ensured(t, l, p, "changed, restarted")
	if first.running() {
		t.Error("the process with the old input still runs")
	}
	p.argv = append(p.argv, "another argument")
	fourth := ensured(t, l, p, "changed, restarted")
	if third.running() {
		t.Error("the process with the old arguments still runs")
	}
	if err := syscall.Kill(fourth.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, fourth)
	ensured(t, l, p, "ready")
}

func TestStartRecordsTheArgumentsOfAScriptAndOfAProgram(t *testing.T) {
	l := layout{root: t.TempDir()}
	script := filepath.Join(l.root, "script")
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
			r, err := l.start(t.Context(), process{name: "player", argv: argv}, "fingerprint")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.end(t.Context()); err != nil {
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

func awaitEnd(t *testing.T, r record) {
	t.Helper()
	if err := poll(t.Context(), time.Millisecond, func(context.Context) (bool, error) { return !r.running(), nil }); err != nil {
		t.Fatal(err)
	}
}

func TestEnsureNamesTheLogOfAProcessThatEnded(t *testing.T) {
	l := layout{root: t.TempDir()}
	_, err := l.ensure(t.Context(), player(t, l, "player", "crash"))
	var failed *processError
	if !errors.As(err, &failed) {
		t.Fatalf("error %v, want a processError", err)
	}
	lines, err := lastLines(failed.log, 20)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cannot listen"}, lines); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestStop(t *testing.T) {
	t.Run("a process ends, and a second time there is nothing to end", func(t *testing.T) {
		l := layout{root: t.TempDir()}
		r := ensured(t, l, player(t, l, "player", "polite"), "ready")
		for _, want := range []bool{true, false} {
			if got, err := l.stop(t.Context(), "player"); err != nil || got != want {
				t.Errorf("stop: %t, %v; want %t", got, err, want)
			}
		}
		if r.running() {
			t.Error("the process still runs")
		}
	})
	t.Run("a stranger who has the process id of ours is left alone", func(t *testing.T) {
		for name, change := range map[string]func(*record){
			"started at another time": func(r *record) { r.StartTime++ },
			"another command line":    func(r *record) { r.Argv = []string{"/bin/other"} },
		} {
			l := layout{root: t.TempDir()}
			stranger := ensured(t, l, player(t, l, "stranger", "polite"), "ready")
			r := stranger
			change(&r)
			if err := l.saveRecord("ours", r); err != nil {
				t.Fatal(err)
			}
			if got, err := l.stop(t.Context(), "ours"); err != nil || got {
				t.Errorf("%s: stop: %t, %v; want nothing stopped", name, got, err)
			}
			if !stranger.running() {
				t.Errorf("%s: the stranger was ended", name)
			}
		}
	})
	t.Run("a command that is interrupted does not wait for a process that does not end", func(t *testing.T) {
		l := layout{root: t.TempDir()}
		r := ensured(t, l, player(t, l, "player", "stubborn"), "ready")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.stop(ctx, "player"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
		// It stays on record, so that the next down finds it.
		again, err := l.loadRecord("player")
		if err != nil || !again.running() {
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
		want    procState
		wantErr bool
	}{
		"a process that runs":                                {stat: "7 (etcd) S" + tail + "4711 9 9", want: procState{startTime: 4711}},
		"one that nobody has collected has ended":            {stat: "7 (etcd) Z" + tail + "4711 9 9", want: procState{ended: true, startTime: 4711}},
		"a name with spaces and parentheses misleads nobody": {stat: "7 (a) Z (b) R" + tail + "12 9", want: procState{startTime: 12}},
		"too few fields are an error":                        {stat: "7 (etcd) S 1 2", wantErr: true},
		"no name is an error":                                {stat: "7", wantErr: true},
		"a start time that is no number is an error":         {stat: "7 (etcd) S" + tail + "x 9", wantErr: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat(test.stat)
			if (err != nil) != test.wantErr {
				t.Fatalf("error %v, want one: %t", err, test.wantErr)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(procState{})); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadProcessKnowsItself(t *testing.T) {
	got, err := readProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(os.Args, got.argv); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	for _, pid := range []int{0, -1} {
		if _, err := readProcess(pid); err == nil {
			t.Errorf("process id %s is one", strconv.Itoa(pid))
		}
	}
}
