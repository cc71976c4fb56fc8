// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
)

// Exit codes of shells for a command that could not be started.
const (
	codeNotRunnable = 126
	codeNotFound    = 127
)

// StartError says that the command could not be started.
type StartError struct {
	// Code is the exit code that shells have for it.
	Code int
	// Err says why.
	Err error
}

// Error implements error.
func (e *StartError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

func startError(err error) error {
	var lookup *exec.Error
	var path *fs.PathError
	switch {
	case errors.As(err, &lookup):
		err = fmt.Errorf("command %s cannot be started: %w", lookup.Name, lookup.Err)
	case errors.As(err, &path):
		err = fmt.Errorf("command %s cannot be started: %w", path.Path, path.Err)
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return &StartError{Code: codeNotFound, Err: err}
	}
	return &StartError{Code: codeNotRunnable, Err: err}
}
