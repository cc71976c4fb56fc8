// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const prefix = "latchkey-run-"

// NewFiles makes a folder with a file for each key of each group. Only the caller can
// read it. What runs that were killed left behind is removed first.
func NewFiles(groups map[string]map[string][]byte) (*Files, error) {
	return newFiles([]string{os.Getenv("XDG_RUNTIME_DIR"), "/dev/shm"}, groups)
}

func newFiles(places []string, groups map[string]map[string][]byte) (*Files, error) {
	for _, path := range places {
		if !filepath.IsAbs(path) || !inMemory(path) || unix.Access(path, unix.W_OK|unix.X_OK) != nil {
			continue
		}
		place, err := os.OpenRoot(path)
		if err != nil {
			return nil, err
		}
		sweep(place)
		f, err := lockedFolder(place)
		if err != nil {
			return nil, errors.Join(err, place.Close())
		}
		f.Path = filepath.Join(path, f.name)
		if err := f.write(groups); err != nil {
			return nil, errors.Join(err, f.Remove())
		}
		return f, nil
	}
	return nil, ErrNoMemory
}

func inMemory(path string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(path, &stat) == nil && (stat.Type == unix.TMPFS_MAGIC || stat.Type == unix.RAMFS_MAGIC)
}

// lockedFolder makes a folder and holds the lock that says it is in use. Between the two,
// another run may take it for one that was left behind, and remove it: then the next try
// makes another one.
func lockedFolder(place *os.Root) (*Files, error) {
	for {
		name := prefix + rand.Text()
		if err := place.Mkdir(name, 0o700); err != nil {
			return nil, err
		}
		lock, err := place.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
			return nil, errors.Join(err, lock.Close(), place.RemoveAll(name))
		}
		if _, err := place.Stat(name); err == nil {
			return &Files{place: place, name: name, lock: lock}, nil
		}
		_ = lock.Close()
	}
}

// sweep removes the caller's folders that nobody holds: those of runs that were killed.
// What cannot be removed is no reason not to run.
func sweep(place *os.Root) {
	all, err := place.Open(".")
	if err != nil {
		return
	}
	defer func() { _ = all.Close() }()
	names, _ := all.Readdirnames(-1)
	for _, name := range names {
		if strings.HasPrefix(name, prefix) && isMine(place, name) {
			removeUnheld(place, name)
		}
	}
}

func isMine(place *os.Root, name string) bool {
	info, err := place.Lstat(name)
	if err != nil || !info.IsDir() {
		return false
	}
	owner, is := info.Sys().(*syscall.Stat_t)
	return is && int64(owner.Uid) == int64(os.Getuid())
}

func removeUnheld(place *os.Root, name string) {
	lock, err := place.Open(name)
	if err != nil {
		return
	}
	defer func() { _ = lock.Close() }()
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		_ = place.RemoveAll(name)
	}
}
