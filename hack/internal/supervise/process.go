// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package supervise keeps the processes of a development stack running after the command that starts them is over.
//
// One parent, detached from its terminal, owns them as its children: it starts again what exits, and when it ends, they
// end. Commands ask it over a socket in a folder that only its user can enter; it answers nobody else.
package supervise

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	// gracePeriod is how long a process may take to end by itself.
	gracePeriod = 20 * time.Second
	// restartDelay is how long one that exited stays down.
	restartDelay = time.Second
)

// Process says how one process of a stack is started and when it is ready.
type Process struct {
	Name string
	Argv []string
	// Files are its program and what it reads at start: where one of them changes, it is restarted.
	Files    []string
	Ready    func(context.Context) error
	Patience time.Duration
}

// fingerprint changes when the process has to be restarted: other arguments, or other content of its files. It is the
// content that counts: a build that changes nothing writes the binary all the same.
func (p Process) fingerprint() (string, error) {
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%q\n", p.Argv)
	for _, path := range p.Files {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(sum, "%q %d\n", path, len(content))
		_, _ = sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Status is what the parent knows of a process.
type Status struct {
	Name        string    `json:"name"`
	Argv        []string  `json:"argv"`
	Fingerprint string    `json:"fingerprint"`
	PID         int       `json:"pid"` // 0 while it does not run
	Started     time.Time `json:"started"`
	Exits       int       `json:"exits"` // how often it ended by itself
}

// child is a process that the parent runs until it is told to stop.
type child struct {
	stop    context.CancelFunc
	stopped chan struct{} // closed when it has ended for good

	mu     sync.Mutex
	status Status
}

func (c *child) read() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// launch starts a process, and again whenever it exits, until end is called.
func launch(status Status, dir, log string) *child {
	ctx, cancel := context.WithCancel(context.Background())
	c := &child{stop: cancel, stopped: make(chan struct{}), status: status}
	go func() {
		defer close(c.stopped)
		for ctx.Err() == nil {
			c.run(ctx, dir, log)
			select {
			case <-ctx.Done():
			case <-time.After(restartDelay):
			}
		}
	}()
	return c
}

// end ends the process, by force if it does not end by itself.
func (c *child) end() {
	c.stop()
	<-c.stopped
}

// run starts the process once and waits for its end.
func (c *child) run(ctx context.Context, dir, log string) {
	command := exec.CommandContext(ctx, c.status.Argv[0], c.status.Argv[1:]...)
	command.Dir = dir
	command.Env = environment()
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = gracePeriod
	// A group of its own: what a terminal or a caller sends to the parent's group is for the parent alone. Should the
	// parent be killed, the kernel kills the process too: nothing is left that nobody owns.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	_ = os.Rename(log, log+".old") // it says why the run before ended
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		defer func() { _ = file.Close() }()
		command.Stdout, command.Stderr = file, file
		if err = command.Start(); err != nil {
			_, _ = fmt.Fprintln(file, err)
		}
	}
	if err == nil {
		c.note(func(s *Status) { s.PID, s.Started = command.Process.Pid, time.Now().UTC() })
		_ = command.Wait() // its log says how it ended
	}
	c.note(func(s *Status) {
		s.PID = 0
		s.Exits++
	})
}

func (c *child) note(change func(*Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.status)
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
