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

	"k8s.io/apimachinery/pkg/util/wait"
)

const pollInterval = 50 * time.Millisecond

// Root returns the root of the source tree, which is the working directory.
func Root() (string, error) {
	content, err := os.ReadFile("go.mod")
	if err != nil || !strings.HasPrefix(string(content), "module github.com/latchkey-dev/latchkey\n") {
		return "", errors.New("run this in the root of Latchkey's source tree")
	}
	return os.Getwd()
}

// WriteFile writes a private file whole or not at all, and leaves an equal one untouched.
func WriteFile(path string, content []byte) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == string(content) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// WithLock runs f while no other command that names the same lock file runs.
func WithLock(ctx context.Context, path string, waiting func(), f func(context.Context) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // which unlocks
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		waiting()
		err = wait.PollUntilContextCancel(ctx, pollInterval, true, func(context.Context) (bool, error) {
			err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return false, nil
			}
			return err == nil, err
		})
		if err != nil {
			return fmt.Errorf("lock %s: %w", path, err)
		}
	}
	return f(ctx)
}

// Variable is one line of a file of shell variables.
type Variable struct{ Name, Value string }

// RenderEnv renders shell lines that export the variables that have a value, quoted so that any path is safe.
func RenderEnv(comment string, variables []Variable) []byte {
	var out strings.Builder
	out.WriteString("# " + comment + "\n")
	for _, v := range variables {
		if v.Value != "" {
			out.WriteString("export " + v.Name + "='" + strings.ReplaceAll(v.Value, "'", `'\''`) + "'\n")
		}
	}
	return []byte(out.String())
}

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error that trying again does not mend.
func Permanent(err error) error { return permanent{err} }

// Eventually calls f until it returns nil or a permanent error; when the time is over, the last error says why.
func Eventually(ctx context.Context, patience time.Duration, f func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollInterval, patience, true, func(ctx context.Context) (bool, error) {
		err := f(ctx)
		if err == nil || errors.As(err, &permanent{}) {
			return true, err
		}
		if ctx.Err() == nil || last == nil { // what fails because the time is over hides the reason
			last = err
		}
		return false, nil
	})
	if errors.Is(err, context.DeadlineExceeded) && last != nil {
		return fmt.Errorf("not within %s: %w", patience, last)
	}
	return err
}
