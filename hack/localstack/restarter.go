// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// restarter is the process that starts others again which end by themselves, as a cluster does.
const restarter = "restarter"

// newRestarterCommand is what the stack runs, detached, in the place of a kubelet.
func newRestarterCommand(open func() (*stack, error)) *cobra.Command {
	return &cobra.Command{
		Use:    restarter,
		Short:  "Starts processes of the stack again that have ended",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open()
			if err != nil {
				return err
			}
			err = supervise.Poll(cmd.Context(), time.Second, func(ctx context.Context) (bool, error) {
				s.restartEnded(ctx)
				return false, nil
			})
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		},
	}
}

// restartEnded starts again what has ended. It waits for commands that are at work: what they end, they mean to.
func (s *stack) restartEnded(ctx context.Context) {
	for { // what it started and has ended is a zombie until somebody asks
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
			break
		}
	}
	ended, err := s.Ended()
	if err != nil || len(ended) == 0 {
		return
	}
	err = supervise.WithLock(ctx, s.lock(), func() {}, func(ctx context.Context) error {
		var errs []error
		for _, name := range ended {
			revived, err := s.Revive(ctx, name)
			if revived {
				s.Linef("%s had ended, and was started again", name)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	if err != nil {
		s.Linef("cannot start again what has ended: %v", err)
	}
}

// restarter runs this program once more, from the copy that outlives `go run`.
func (s *stack) restarter() (supervise.Process, error) {
	program := s.dev("localstack")
	if err := copyProgram(program); err != nil {
		return supervise.Process{}, err
	}
	return supervise.Process{
		Name:     restarter,
		Argv:     []string{program, restarter, "--root=" + s.root},
		Ready:    func(context.Context) error { return nil },
		Patience: 10 * time.Second,
	}, nil
}
