// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

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

// layout knows where everything lies below the root of the source tree.
type layout struct{ root string }

func (l layout) dev(elem ...string) string {
	return filepath.Join(append([]string{l.root, "bin", "dev"}, elem...)...)
}

func (l layout) lock() string               { return filepath.Join(l.root, "bin", "dev.lock") }
func (l layout) latchkey() string           { return filepath.Join(l.root, "bin", "latchkey") }
func (l layout) env() string                { return l.dev("env") }
func (l layout) ports() string              { return l.dev("ports.json") }
func (l layout) log(name string) string     { return l.dev("log", name+".log") }
func (l layout) record(name string) string  { return l.dev("run", name+".json") }
func (l layout) pki(name string) string     { return l.dev("pki", name) }
func (l layout) adminKubeconfig() string    { return l.dev("admin.kubeconfig") }
func (l layout) config(elem string) string  { return filepath.Join(l.root, "config", elem) }
func (l layout) overlay(elem string) string { return l.dev("overlay", elem) }

// relative shortens a path below the root for people.
func (l layout) relative(path string) string {
	if short, err := filepath.Rel(l.root, path); err == nil && filepath.IsLocal(short) {
		return short
	}
	return path
}

// findRoot walks up from dir to the folder of Latchkey's go.mod.
func findRoot(dir string) (string, error) {
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

// writeFile writes a private file whole or not at all, and leaves an equal one untouched.
func writeFile(path string, content []byte) error {
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

// withLock runs f while no other localstack changes the same tree.
func withLock(ctx context.Context, path string, waiting func(), f func(context.Context) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // which unlocks
	told := false
	err = poll(ctx, 200*time.Millisecond, func(context.Context) (bool, error) {
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

// lastLines returns the last n lines of a file, reading it line by line.
func lastLines(path string, n int) ([]string, error) {
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
