// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

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

// Stop ends the recorded process of that name, if it is still the one that was started, and forgets it. It says
// whether there was one.
func (k Keeper) Stop(ctx context.Context, name string) (bool, error) {
	r, err := k.Load(name)
	if err != nil {
		return false, err
	}
	stopped, err := r.End(ctx)
	if err != nil {
		return false, fmt.Errorf("stop %s: %w", name, err)
	}
	if err := os.Remove(k.record(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	return stopped, nil
}

// End ends the process, by force if it does not end by itself. It says whether it was still there.
func (r Record) End(ctx context.Context) (bool, error) {
	if !r.Running() {
		return false, nil
	}
	// The handle pins the process: after the second look, the signals can reach no other one.
	handle, err := os.FindProcess(r.PID)
	if err != nil {
		return false, err
	}
	defer func() { _ = handle.Release() }()
	if !r.Running() {
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
		err := Poll(waitCtx, pollInterval, func(context.Context) (bool, error) { return !r.Running(), nil })
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

// Recorded lists the names of the processes on record.
func (k Keeper) Recorded() ([]string, error) {
	paths, err := filepath.Glob(k.record("*"))
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(paths))
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".json"))
	}
	return names, nil
}
