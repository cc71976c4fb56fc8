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

// needControllers are the cgroup controllers without which the kubelet does not start.
var needControllers = []string{"cpu", "memory", "pids"}

// hierarchies lists where cgroups are mounted: one hierarchy with cgroup v2, one for each controller with v1, and both
// kinds where a machine is in between.
func hierarchies(mounts []mount) []string {
	var points []string
	for _, m := range mounts {
		if (m.fsType == "cgroup" || m.fsType == "cgroup2") && !slices.Contains(points, m.point) {
			points = append(points, m.point)
		}
	}
	return points
}

// controllers lists the cgroup controllers that containers can be held with. read reads a file of a hierarchy.
func controllers(mounts []mount, read func(string) ([]byte, error)) []string {
	var list []string
	for _, m := range mounts {
		switch m.fsType {
		case "cgroup":
			list = append(list, m.options...)
		case "cgroup2":
			content, err := read(filepath.Join(m.point, "cgroup.controllers"))
			if err == nil {
				list = append(list, strings.Fields(string(content))...)
			}
		}
	}
	return list
}

// makeCgroups makes a cgroup of our own in every hierarchy, so that every process in it is a container of ours.
func makeCgroups() error {
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	for _, point := range hierarchies(mounts) {
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
func killContainers(ctx context.Context) (int, error) {
	killed := map[int]bool{}
	err := supervise.Eventually(ctx, 10*time.Second, func(context.Context) error {
		pids, err := containerPIDs()
		if err != nil {
			return supervise.Permanent(err)
		}
		for _, pid := range pids {
			if err := killContainerProcess(pid); err != nil {
				return supervise.Permanent(err)
			}
			killed[pid] = true
		}
		if len(pids) > 0 {
			return fmt.Errorf("%d processes of containers do not end", len(pids))
		}
		return nil
	})
	return len(killed), err
}

// killContainerProcess ends a process if it is in a cgroup of ours.
func killContainerProcess(pid int) error {
	// The handle pins the process: after the look at its cgroups, the signal can reach no other one.
	handle, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	defer func() { _ = handle.Release() }()
	cgroups, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil || !strings.Contains(string(cgroups), ":/"+nodeName+"/") {
		return nil // it has ended
	}
	if err := handle.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// containerPIDs lists the processes in our cgroups.
func containerPIDs() ([]int, error) {
	var pids []int
	err := walkCgroups(func(folder string) error {
		content, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
		if err != nil {
			return nil // the cgroup is gone
		}
		for _, field := range strings.Fields(string(content)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				return err
			}
			if !slices.Contains(pids, pid) {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids, err
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
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	for _, point := range hierarchies(mounts) {
		err := filepath.WalkDir(filepath.Join(point, nodeName), func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			if entry.IsDir() {
				return f(path)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
