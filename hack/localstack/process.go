// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// process says how one process of the stack is started and when it is ready.
type process struct {
	name     string
	argv     []string // argv[0] is an absolute path
	files    []string // what it reads at start: a change restarts it
	ready    func(context.Context) error
	patience time.Duration
}

// processError is a failure that the log of a process explains.
type processError struct {
	log string
	err error
}

func (e *processError) Error() string { return e.err.Error() }
func (e *processError) Unwrap() error { return e.err }

// record is what is remembered of a process that was started: enough to know it again without a doubt.
type record struct {
	PID         int       `json:"pid"`
	StartTime   uint64    `json:"startTime"` // as the kernel counts it: tells a reused process id
	Argv        []string  `json:"argv"`      // as the kernel shows it, with the interpreter if it is a script
	Fingerprint string    `json:"fingerprint"`
	Started     time.Time `json:"started"`
}

// running says whether the recorded process is still there and is the same one.
func (r record) running() bool {
	state, err := readProcess(r.PID)
	return err == nil && !state.ended && state.startTime == r.StartTime && slices.Equal(state.argv, r.Argv)
}

func (l layout) loadRecord(name string) (record, error) {
	var r record
	content, err := os.ReadFile(l.record(name))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil // the zero record describes no process
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(content, &r); err != nil {
		return r, fmt.Errorf("%s: %w", l.record(name), err)
	}
	return r, nil
}

// ensure leaves a process running as p describes it, and ready. It says what it had to do.
func (l layout) ensure(ctx context.Context, p process) (string, error) {
	want, err := p.fingerprint()
	if err != nil {
		return "", err
	}
	r, err := l.loadRecord(p.name)
	if err != nil {
		return "", err
	}
	outcome := "ready"
	switch {
	case r.running() && r.Fingerprint == want:
		outcome = "already running"
	case r.running():
		outcome = "changed, restarted"
		if _, err := l.stop(ctx, p.name); err != nil {
			return "", err
		}
		fallthrough
	default:
		if r, err = l.start(ctx, p, want); err != nil {
			return "", err
		}
	}
	err = eventually(ctx, p.patience, func(ctx context.Context) error {
		if !r.running() {
			return permanent{errors.New("the process ended before it was ready")}
		}
		return p.ready(ctx)
	})
	switch {
	case errors.Is(err, context.Canceled): // interrupted: the log has nothing to say about that
		return "", err
	case err != nil:
		return "", &processError{log: l.log(p.name), err: err}
	}
	return outcome, nil
}

// start runs p in a session of its own, so that it outlives this command and its terminal.
func (l layout) start(ctx context.Context, p process, fingerprint string) (record, error) {
	for _, path := range []string{l.log(p.name), l.record(p.name)} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return record{}, err
		}
	}
	// The log of the run before is kept: it says why that one ended.
	if err := os.Rename(l.log(p.name), l.log(p.name)+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return record{}, err
	}
	log, err := os.OpenFile(l.log(p.name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return record{}, err
	}
	defer func() { _ = log.Close() }()
	command := exec.CommandContext(context.WithoutCancel(ctx), p.argv[0], p.argv[1:]...)
	command.Dir = l.root
	command.Env = processEnv()
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return record{}, err
	}
	r := record{PID: command.Process.Pid, Fingerprint: fingerprint, Started: time.Now().UTC()}
	state, err := awaitArguments(ctx, r.PID, p.argv[1:])
	if err == nil {
		r.StartTime, r.Argv = state.startTime, state.argv
		err = l.saveRecord(p.name, r)
	}
	if err != nil {
		// What is not on record could never be ended.
		return record{}, errors.Join(err, command.Process.Kill())
	}
	return r, command.Process.Release()
}

// awaitArguments waits for the instant when the kernel shows a new process with its arguments: the program is loaded
// before they are set up.
func awaitArguments(ctx context.Context, pid int, args []string) (procState, error) {
	var state procState
	err := eventually(ctx, 10*time.Second, func(context.Context) error {
		var err error
		if state, err = readProcess(pid); err != nil {
			return permanent{err}
		}
		// A script shows its interpreter first.
		if skipped := len(state.argv) - len(args); state.ended || (skipped > 0 && slices.Equal(state.argv[skipped:], args)) {
			return nil
		}
		return fmt.Errorf("process %d does not show its arguments", pid)
	})
	return state, err
}

func (l layout) saveRecord(name string, r record) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(l.record(name), append(content, '\n'))
}

// fingerprint changes when the process has to be restarted: another binary, other arguments, other input files.
func (p process) fingerprint() (string, error) {
	info, err := os.Stat(p.argv[0])
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%q %d %d\n", p.argv, info.Size(), info.ModTime().UnixNano())
	for _, path := range p.files {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(sum, "%q %d\n", path, len(content))
		_, _ = sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// processEnv is what a process sees: none of the caller's KUBECONFIG, proxies or ETCD_ settings, which would change
// what it does.
func processEnv() []string {
	var env []string
	for _, name := range []string{"HOME", "PATH", "TMPDIR", "GOMAXPROCS", "GOMEMLIMIT", "GOGC"} {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return env
}
