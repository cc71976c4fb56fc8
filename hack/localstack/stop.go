// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// How long a process may take to end by itself, and to vanish once it was killed.
const (
	gracePeriod = 20 * time.Second
	killPeriod  = 5 * time.Second
)

// stop ends the recorded process of that name, if it is still the one that was started, and forgets it. It says
// whether there was one.
func (l layout) stop(ctx context.Context, name string) (bool, error) {
	r, err := l.loadRecord(name)
	if err != nil {
		return false, err
	}
	stopped, err := r.end(ctx)
	if err != nil {
		return false, fmt.Errorf("stop %s: %w", name, err)
	}
	if err := os.Remove(l.record(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	return stopped, nil
}

func (r record) end(ctx context.Context) (bool, error) {
	if !r.running() {
		return false, nil
	}
	// The handle pins the process: after the second look, the signals can reach no other one.
	handle, err := os.FindProcess(r.PID)
	if err != nil {
		return false, err
	}
	defer func() { _ = handle.Release() }()
	if !r.running() {
		return false, nil
	}
	for _, attempt := range []struct {
		signal os.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, gracePeriod}, {syscall.SIGKILL, killPeriod}} {
		if err := handle.Signal(attempt.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return false, err
		}
		waitCtx, cancel := context.WithTimeout(ctx, attempt.wait)
		err := poll(waitCtx, pollInterval, func(context.Context) (bool, error) { return !r.running(), nil })
		cancel()
		if err == nil {
			return true, nil
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
	return false, fmt.Errorf("process %d does not end", r.PID)
}

// recorded lists the names of the processes on record.
func (l layout) recorded() ([]string, error) {
	paths, err := filepath.Glob(l.record("*"))
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(paths))
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".json"))
	}
	return names, nil
}
