// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const modulePath = "github.com/latchkey-dev/latchkey"

// FindRoot walks up from dir to the folder of Latchkey's go.mod.
func FindRoot(dir string) (string, error) {
	for current := dir; ; current = filepath.Dir(current) {
		content, err := os.ReadFile(filepath.Join(current, "go.mod"))
		if err == nil && strings.HasPrefix(string(content), "module "+modulePath+"\n") {
			return current, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if current == filepath.Dir(current) {
			return "", fmt.Errorf("%s is not inside the source tree of %s: change into it or pass --root", dir, modulePath)
		}
	}
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
	told := false
	err = Poll(ctx, 200*time.Millisecond, func(context.Context) (bool, error) {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err == nil, err
		}
		if !told {
			waiting()
			told = true
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	return f(ctx)
}

// LastLines returns the last n lines of a file, reading it line by line.
func LastLines(path string, n int) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var lines []string
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
		if len(lines) > n {
			lines = lines[1:]
		}
	}
	return lines, scanner.Err()
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
