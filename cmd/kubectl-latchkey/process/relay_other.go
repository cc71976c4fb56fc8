// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
)

// Relay would pass signals on. This system sends those of the console to every process
// that is connected to it, and has no others.
type Relay struct{}

// NewRelay returns one.
func NewRelay() *Relay { return &Relay{} }

// Stop does nothing.
func (r *Relay) Stop() {}

// Run runs a command and returns its exit code.
func (r *Relay) Run(argv, env []string) (int, error) {
	command := exec.CommandContext(context.Background(), argv[0], argv[1:]...) //nolint:gosec // the command that the caller named
	command.Env = env
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := command.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode(), nil
	case err != nil:
		return 0, startError(err)
	}
	return 0, nil
}
