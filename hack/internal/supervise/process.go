// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package supervise starts the processes of a development stack, waits until they are ready, and ends them in a later
// command: the one that started them is over by then.
//
// It owns the folder of records, one per process, and the folder of logs. A process is ended only if it is exactly the
// one on record: the same id, start time and command line.
package supervise

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

// Process says how one process of a stack is started and when it is ready.
type Process struct {
	Name  string
	Argv  []string // Argv[0] is an absolute path
	Files []string // what it reads at start: a change restarts it
	// Enter is a command that does something to itself, such as entering a namespace, and then becomes Argv.
	Enter    []string
	Ready    func(context.Context) error
	Patience time.Duration
}

// Failure is a failure of a process that its log explains.
type Failure struct {
	Log string
	Err error
}

// Error returns the text of the failure, without the log.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the failure itself.
func (f *Failure) Unwrap() error { return f.Err }

// Keeper knows where the processes of one stack leave their logs and records.
type Keeper struct {
	Dir     string // working directory of the processes
	Logs    string
	Records string
}

// Log is the path of the log of a process.
func (k Keeper) Log(name string) string { return filepath.Join(k.Logs, name+".log") }

func (k Keeper) record(name string) string { return filepath.Join(k.Records, name+".json") }

// Record is what is remembered of a process that was started: enough to know it again without a doubt.
type Record struct {
	PID         int       `json:"pid"`
	StartTime   uint64    `json:"startTime"` // as the kernel counts it: tells a reused process id
	Argv        []string  `json:"argv"`      // as the kernel shows it, with the interpreter if it is a script
	Fingerprint string    `json:"fingerprint"`
	Started     time.Time `json:"started"`
}

// Running says whether the recorded process is still there and is the same one.
func (r Record) Running() bool {
	state, err := ReadState(r.PID)
	return err == nil && !state.Ended && state.StartTime == r.StartTime && slices.Equal(state.Argv, r.Argv)
}

// Load reads the record of a process. The zero Record, which describes no process, stands for one that was never
// started or has been stopped.
func (k Keeper) Load(name string) (Record, error) {
	var r Record
	content, err := os.ReadFile(k.record(name))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(content, &r); err != nil {
		return r, fmt.Errorf("%s: %w", k.record(name), err)
	}
	return r, nil
}

// Ensure leaves a process running as p describes it, and ready. It says what it had to do.
func (k Keeper) Ensure(ctx context.Context, p Process) (string, error) {
	want, err := p.fingerprint()
	if err != nil {
		return "", err
	}
	r, err := k.Load(p.Name)
	if err != nil {
		return "", err
	}
	outcome := "ready"
	switch {
	case r.Running() && r.Fingerprint == want:
		outcome = "already running"
	case r.Running():
		outcome = "changed, restarted"
		if _, err := k.Stop(ctx, p.Name); err != nil {
			return "", err
		}
		fallthrough
	default:
		if r, err = k.start(ctx, p, want); err != nil {
			return "", err
		}
	}
	err = Eventually(ctx, p.Patience, func(ctx context.Context) error {
		if !r.Running() {
			return Permanent(errors.New("the process ended before it was ready"))
		}
		return p.Ready(ctx)
	})
	switch {
	case errors.Is(err, context.Canceled): // interrupted: the log has nothing to say about that
		return "", err
	case err != nil:
		return "", &Failure{Log: k.Log(p.Name), Err: err}
	}
	return outcome, nil
}

// Ended lists the processes on record that are not running any more: nobody stopped them.
func (k Keeper) Ended() ([]string, error) {
	names, err := k.Recorded()
	if err != nil {
		return nil, err
	}
	var ended []string
	for _, name := range names {
		r, err := k.Load(name)
		if err != nil {
			return nil, err
		}
		if !r.Running() {
			ended = append(ended, name)
		}
	}
	return ended, nil
}

// Revive starts a process on record again that is not running any more, and reports whether it had to.
func (k Keeper) Revive(ctx context.Context, name string) (bool, error) {
	r, err := k.Load(name)
	if err != nil || len(r.Argv) == 0 || r.Running() {
		return false, err
	}
	_, err = k.start(ctx, Process{Name: name, Argv: r.Argv}, r.Fingerprint)
	return err == nil, err
}

// start runs p in a session of its own, so that it outlives this command and its terminal.
func (k Keeper) start(ctx context.Context, p Process, fingerprint string) (Record, error) {
	for _, dir := range []string{k.Logs, k.Records} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return Record{}, err
		}
	}
	// The log of the run before is kept: it says why that one ended.
	if err := os.Rename(k.Log(p.Name), k.Log(p.Name)+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Record{}, err
	}
	log, err := os.OpenFile(k.Log(p.Name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return Record{}, err
	}
	defer func() { _ = log.Close() }()
	argv := append(slices.Clone(p.Enter), p.Argv...)
	command := exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...)
	command.Dir = k.Dir
	command.Env = environment()
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return Record{}, err
	}
	r := Record{PID: command.Process.Pid, Fingerprint: fingerprint, Started: time.Now().UTC()}
	state, err := p.awaitArguments(ctx, r.PID)
	if err == nil {
		r.StartTime, r.Argv = state.StartTime, state.Argv
		err = k.save(p.Name, r)
	}
	if err != nil {
		// What is not on record could never be ended.
		return Record{}, errors.Join(err, command.Process.Kill())
	}
	return r, command.Process.Release()
}

// awaitArguments waits for the instant when the kernel shows a new process with its arguments: the program is loaded
// before they are set up.
func (p Process) awaitArguments(ctx context.Context, pid int) (State, error) {
	var state State
	err := Eventually(ctx, 10*time.Second, func(context.Context) error {
		var err error
		if state, err = ReadState(pid); err != nil {
			return Permanent(err)
		}
		if state.Ended || p.shows(state.Argv) {
			return nil
		}
		return fmt.Errorf("process %d does not show its arguments", pid)
	})
	return state, err
}

// shows says whether a command line is the one of p, once whatever it enters through is over.
func (p Process) shows(argv []string) bool {
	if len(p.Enter) > 0 {
		return slices.Equal(argv, p.Argv)
	}
	args := p.Argv[1:]
	skipped := len(argv) - len(args) // a script shows its interpreter first
	return skipped > 0 && slices.Equal(argv[skipped:], args)
}

func (k Keeper) save(name string, r Record) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(k.record(name), append(content, '\n'))
}

// fingerprint changes when the process has to be restarted: another binary, other arguments, other input files. It is
// their content that counts: a build that changes nothing writes the binary all the same.
func (p Process) fingerprint() (string, error) {
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%q\n", p.Argv)
	for _, path := range append([]string{p.Argv[0]}, p.Files...) {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(sum, "%q %d\n", path, len(content))
		_, _ = sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// environment is what a process sees: none of the caller's KUBECONFIG, proxies or ETCD_ settings, which would change
// what it does.
func environment() []string {
	var env []string
	for _, name := range []string{"HOME", "PATH", "TMPDIR", "GOMAXPROCS", "GOMEMLIMIT", "GOGC"} {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return env
}
