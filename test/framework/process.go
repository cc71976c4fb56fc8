// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// startTimeout is how long a process may take until it is ready.
	startTimeout = time.Minute
	// stopTimeout is how long it may take to end: longer than the 30 s after which a
	// manager gives up waiting for what it was only about to start.
	stopTimeout = time.Minute
	pollEvery   = 20 * time.Millisecond
)

// EndAtOnce is a variable for programs with the race detector: without it, each sleeps for
// a second before it ends.
const EndAtOnce = "GORACE=atexit_sleep_ms=0"

// Process is "latchkey controller" or "latchkey server". It keeps its ports and its
// log over restarts. It is not safe for concurrent use.
type Process struct {
	name        string
	binary      string
	args        []string
	log         string
	metricsPort int
	healthPort  int
	webhookPort int // of a server

	command *exec.Cmd
	ended   chan struct{}
}

// Name returns the name under which the process was asked for.
func (p *Process) Name() string { return p.name }

// Log returns the file with the output of all runs of the process.
func (p *Process) Log() string { return p.log }

// PID returns the id of the running process.
func (p *Process) PID() int { return p.command.Process.Pid }

// Running reports whether the process was started and has not ended.
func (p *Process) Running() bool {
	if p.command == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// detector is a setting of client-go: a process ends when it changed an object in a cache.
const detector = "KUBE_CACHE_MUTATION_DETECTOR"

// Launch starts the process, with flags that override its own, and does not wait.
func (p *Process) Launch(ctx context.Context, flags ...string) error {
	if p.Running() {
		return fmt.Errorf("%s runs already", p.name)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	// It outlives the step of the test that starts it.
	command := exec.CommandContext(context.WithoutCancel(ctx), p.binary, slices.Concat(p.args, flags)...)
	command.Stdout, command.Stderr = log, log
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(p.log), "TMPDIR=" + filepath.Dir(p.log), EndAtOnce, detector + "=" + os.Getenv(detector)}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.command, p.ended = command, make(chan struct{})
	go func(ended chan struct{}) {
		defer close(ended)
		_ = command.Wait() // its state says how it ended
	}(p.ended)
	return nil
}

// Start starts the process and waits until it is ready.
func (p *Process) Start(ctx context.Context, flags ...string) error {
	if err := p.Launch(ctx, flags...); err != nil {
		return err
	}
	return p.AwaitReady(ctx)
}

// AwaitReady waits until the process says that it is ready.
func (p *Process) AwaitReady(ctx context.Context) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollEvery, startTimeout, true, func(ctx context.Context) (bool, error) {
		if last = p.Ready(ctx); last == nil {
			return true, nil
		}
		if !p.Running() {
			return false, errors.New("it ended")
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("%s is not ready: %w: %w (log: %s)", p.name, err, last, p.log)
	}
	return nil
}

// Ready asks once whether the process is ready.
func (p *Process) Ready(ctx context.Context) error { return p.probe(ctx, "/readyz?verbose") }

// Live asks once whether the process is alive.
func (p *Process) Live(ctx context.Context) error { return p.probe(ctx, "/livez") }

func (p *Process) probe(ctx context.Context, path string) error {
	body, err := get(ctx, "http://"+address(p.healthPort)+path)
	if err != nil {
		return err
	}
	return body.Close()
}

// Stop asks the process to end, waits for that, and returns its exit code.
func (p *Process) Stop() (int, error) { return p.end(syscall.SIGTERM) }

// Kill ends the process at once: it has no chance to finish anything.
func (p *Process) Kill() error {
	_, err := p.end(syscall.SIGKILL)
	return err
}

// Pause stops the process until Resume. It does not know that time passes.
func (p *Process) Pause() error { return p.command.Process.Signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (p *Process) Resume() error { return p.command.Process.Signal(syscall.SIGCONT) }

func (p *Process) end(signal os.Signal) (int, error) {
	if p.command == nil {
		return 0, nil
	}
	if p.Running() {
		if err := p.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return 0, fmt.Errorf("signal %s: %w", p.name, err)
		}
	}
	select {
	case <-p.ended:
		return p.command.ProcessState.ExitCode(), nil
	case <-time.After(stopTimeout):
		_ = p.command.Process.Kill()
		<-p.ended
		return 0, fmt.Errorf("%s did not end within %s of %s and was killed (log: %s)", p.name, stopTimeout, signal, p.log)
	}
}

// Restart stops the process and starts it with flags that override its own.
func (p *Process) Restart(ctx context.Context, flags ...string) error {
	if _, err := p.Stop(); err != nil {
		return err
	}
	return p.Start(ctx, flags...)
}
