// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// passed are the signals that are passed on.
var passed = []os.Signal{
	syscall.SIGCONT, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGTSTP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
}

// Relay passes signals on to a command.
type Relay struct {
	signals, child chan os.Signal
}

// NewRelay begins to hold signals for a command. Those that are ignored stay so, as nohup
// wants it.
func NewRelay() *Relay {
	r := &Relay{signals: make(chan os.Signal, 64), child: make(chan os.Signal, 1)}
	signal.Notify(r.child, syscall.SIGCHLD)
	for _, s := range passed {
		if !signal.Ignored(s) {
			signal.Notify(r.signals, s)
		}
	}
	return r
}

// Stop ends it.
func (r *Relay) Stop() {
	signal.Stop(r.signals)
	signal.Stop(r.child)
}

// Run runs a command and returns its exit code: its own, or 128 and the number of the
// signal that ended it.
func (r *Relay) Run(argv, env []string) (int, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, startError(err)
	}
	p, err := os.StartProcess(path, argv, &os.ProcAttr{Env: env, Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return 0, startError(err)
	}
	pid := p.Pid
	_ = p.Release()
	// One goroutine waits and sends, so no signal goes to a process that is not the
	// command any more.
	for {
		select {
		case <-r.child:
			code, ended, err := reap(pid)
			if ended || err != nil {
				return code, err
			}
		case s := <-r.signals:
			if number, is := s.(syscall.Signal); is && !fromTerminal(number) {
				_ = syscall.Kill(pid, number)
			}
		}
	}
}

// reap looks at what became of the command, and reports whether it ended.
func reap(pid int) (code int, ended bool, err error) {
	for {
		var status syscall.WaitStatus
		found, err := syscall.Wait4(pid, &status, syscall.WNOHANG|syscall.WUNTRACED, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return 0, false, err
		case found == 0:
			return 0, false, nil
		case status.Exited():
			return status.ExitStatus(), true, nil
		case status.Signaled():
			return 128 + int(status.Signal()), true, nil
		case status.Stopped():
			follow(status.StopSignal())
		}
	}
}

// follow stops this process as the command was stopped by its terminal, so that the shell
// sees it. The SIGCONT that continues this process is passed on: nothing is sent here,
// since this function may well return before the process stops.
func follow(why syscall.Signal) {
	switch why {
	case syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU:
	default:
		return // whoever stopped this one process will continue it
	}
	if _, has := foreground(); has {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
	}
}

// fromTerminal reports whether the terminal sent a signal, so that the command has it
// already. It cannot be seen who sent one: in the foreground, it is taken to be the
// terminal for the signals that terminals send.
func fromTerminal(s syscall.Signal) bool {
	switch s {
	case syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGWINCH:
		group, has := foreground()
		return has && group == unix.Getpgrp()
	}
	return false
}

// foreground returns the process group in the foreground of the terminal, if there is a
// terminal.
func foreground() (group int, has bool) {
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return 0, false
	}
	defer func() { _ = terminal.Close() }()
	group, err = unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return group, err == nil
}
