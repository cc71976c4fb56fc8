// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

const cgroupFolder = "/sys/fs/cgroup"

// needControllers are the cgroup controllers without which the kubelet does not start.
var needControllers = []string{"cpu", "memory", "pids"}

// hierarchies lists where cgroups are mounted: one hierarchy with cgroup v2, one for each controller with v1, and both
// kinds where a machine is in between.
func hierarchies(folder string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(folder, "cgroup.procs")); err == nil {
		return []string{folder}, nil
	}
	files, err := filepath.Glob(filepath.Join(folder, "*", "cgroup.procs"))
	var points []string
	for _, file := range files {
		point, lerr := filepath.EvalSymlinks(filepath.Dir(file)) // cpu may be a link to cpu,cpuacct
		if err = errors.Join(err, lerr); !slices.Contains(points, point) {
			points = append(points, point)
		}
	}
	return points, err
}

// controllers lists the cgroup controllers that containers can be held with: v2 has a file of them, and with v1 a
// hierarchy is named after its own.
func controllers(points []string) []string {
	var list []string
	for _, point := range points {
		if content, err := os.ReadFile(filepath.Join(point, "cgroup.controllers")); err == nil {
			list = append(list, strings.Fields(string(content))...)
		} else {
			list = append(list, strings.Split(filepath.Base(point), ",")...)
		}
	}
	return list
}

// makeCgroups makes a cgroup of our own in every hierarchy, so that every process in it is a container of ours.
func makeCgroups() error {
	points, err := hierarchies(cgroupFolder)
	if err != nil {
		return err
	}
	for _, point := range points {
		if err := os.MkdirAll(filepath.Join(point, nodeName), 0o755); err != nil {
			return err
		}
		// With v2, a cgroup has the controllers that its parent passes on. With v1 there is no such file.
		available, err := os.ReadFile(filepath.Join(point, "cgroup.controllers"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, controller := range strings.Fields(string(available)) {
			file := filepath.Join(point, "cgroup.subtree_control")
			if err := os.WriteFile(file, []byte("+"+controller), 0o644); err != nil && slices.Contains(needControllers, controller) {
				return fmt.Errorf("pass the cgroup controller %s on: %w", controller, err)
			}
		}
	}
	return nil
}

// killContainers ends every process in our cgroups, at once: nothing in a container is worth a grace period here.
func killContainers(ctx context.Context) (string, error) {
	killed := map[string]bool{}
	err := supervise.Eventually(ctx, 10*time.Second, func(context.Context) error {
		left := 0
		if err := walkCgroups(func(folder string) error {
			content, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
			if err != nil {
				return nil // the cgroup is gone
			}
			for _, pid := range strings.Fields(string(content)) {
				killed[pid] = true
				left++
				ours := func(cgroups string) bool { return strings.Contains(cgroups, ":/"+nodeName+"/") }
				if err := killIf(pid, "cgroup", ours); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return supervise.Permanent(err)
		}
		if left > 0 {
			return fmt.Errorf("%d processes of containers do not end", left)
		}
		return nil
	})
	return fmt.Sprintf("ended (%d processes)", len(killed)), err
}

// killIf ends a process if a file of it below /proc says what it should. A process that is gone is no error.
func killIf(process, file string, is func(content string) bool) error {
	pid, err := strconv.Atoi(process)
	if err != nil {
		return err
	}
	// The handle pins the process: after the look at it, the signal can reach no other one.
	handle, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	defer func() { _ = handle.Release() }()
	content, err := os.ReadFile("/proc/" + process + "/" + file)
	if err != nil || !is(string(content)) {
		return nil
	}
	if err := handle.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// removeCgroups removes our cgroups, which no process is in any more.
func removeCgroups(ctx context.Context) error {
	return supervise.Eventually(ctx, 10*time.Second, func(context.Context) error {
		var folders []string
		if err := walkCgroups(func(folder string) error {
			folders = append(folders, folder)
			return nil
		}); err != nil {
			return supervise.Permanent(err)
		}
		for _, folder := range slices.Backward(folders) { // the inner ones first
			if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err // a process that was killed a moment ago still counts
			}
		}
		return nil
	})
}

// walkCgroups calls f for each of our cgroups, a parent before its children.
func walkCgroups(f func(folder string) error) error {
	points, err := hierarchies(cgroupFolder)
	for _, point := range points {
		err = errors.Join(err, filepath.WalkDir(filepath.Join(point, nodeName), func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !entry.IsDir() {
				return err
			}
			return f(path)
		}))
	}
	return err
}
