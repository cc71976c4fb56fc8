// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
)

// Exit codes.
const (
	// CodeFailed is an error of the cluster, the network or a file.
	CodeFailed = 1
	// CodeUsage is a command line that cannot be understood, or that means several things.
	CodeUsage = 2
	// CodeRefused says that nothing was changed: there is no such secret, a right is
	// missing, a rule is broken, or the person said no.
	CodeRefused = 3
	// CodeNo says that it was done, and the answer is no, or only a part was done.
	CodeNo = 4
	// CodeTimeout says that what was waited for did not come in time.
	CodeTimeout = 5
	// CodeInterrupted says that the person ended it.
	CodeInterrupted = 130
)

// Error is an error with an exit code.
type Error struct {
	// Code is the exit code.
	Code int
	// Err says what is wrong; nil where the output says it already.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Usage returns an error with code 2.
func Usage(format string, args ...any) error {
	return &Error{Code: CodeUsage, Err: fmt.Errorf(format, args...)}
}

// Refused returns an error with code 3.
func Refused(format string, args ...any) error {
	return &Error{Code: CodeRefused, Err: fmt.Errorf(format, args...)}
}

// No returns an error with code 4.
func No(format string, args ...any) error {
	return &Error{Code: CodeNo, Err: fmt.Errorf(format, args...)}
}

// Timeout returns an error with code 5.
func Timeout(format string, args ...any) error {
	return &Error{Code: CodeTimeout, Err: fmt.Errorf(format, args...)}
}

// Exit ends a command with a code and without another word.
func Exit(code int) error { return &Error{Code: code} }

// CodeOf returns the exit code of an error.
func CodeOf(err error) int {
	var e *Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled):
		return CodeInterrupted
	}
	return CodeFailed
}
