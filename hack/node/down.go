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
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// down ends and removes everything that up started and made, in an order in which nothing is started again.
func (n *node) down(ctx context.Context) error {
	m, known, err := n.loadMachine()
	if err != nil {
		return err
	}
	if !known {
		linef("nothing is there")
		return nil
	}
	sandboxes, err := filepath.Glob(n.dir("containerd-state", "io.containerd.grpc.v1.cri", "sandboxes", "*"))
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) (string, error)
	}{
		{"kubelet", n.stopping("kubelet")},
		{"containers", killContainers},
		{"shims", n.awaitShims},
		{"containerd", n.stopping("containerd")},
		{"shims that are left", n.endShims},
		{"containers that were being started", killContainers},
		{"control plane", func(ctx context.Context) (string, error) { return "stopped", n.End(ctx) }},
		{"mounts", func(ctx context.Context) (string, error) { return unmountBelow(ctx, n.dir()) }},
		{"network", func(ctx context.Context) (string, error) {
			if err := removeNetwork(ctx); err != nil {
				return "", err
			}
			return "removed", removeContainerTraces(sandboxes, n.podLogs())
		}},
		{"machine", func(ctx context.Context) (string, error) {
			if err := removeCgroups(ctx); err != nil {
				return "", err
			}
			if err := m.restore(ctx, "/proc/sys"); err != nil {
				return "", err
			}
			return "as before", removeTree(n.dir(), n.machineFile())
		}},
	} {
		if err := supervise.Step(ctx, step.name, step.do); err != nil {
			return err
		}
	}
	return nil
}

// stopping returns a step that stops a process.
func (n *node) stopping(name string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if found, err := n.Stop(ctx, name); err != nil || !found {
			return "not running", err
		}
		return "stopped", nil
	}
}

// isShim reports whether a command line, as the kernel shows it, is that of a shim of our containerd. A shim is the parent
// of a container and outlives containerd; it is told the socket of the containerd that it belongs to.
func isShim(cmdline, socket string) bool {
	program, arguments, _ := strings.Cut(cmdline, "\x00")
	return strings.HasPrefix(filepath.Base(program), "containerd-shim") && strings.Contains("\x00"+arguments, "\x00-address\x00"+socket+"\x00")
}

func (n *node) isShim(cmdline string) bool { return isShim(cmdline, n.socket()) }

// awaitShims gives containerd, if it still runs, a little time to remove what belonged to the containers. What it does not
// get done is done by the steps that follow.
func (n *node) awaitShims(ctx context.Context) (string, error) {
	if !n.Running(ctx) {
		return "without containerd", nil
	}
	err := supervise.Eventually(ctx, 3*time.Second, func(context.Context) error {
		files, err := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, file := range files {
			if content, rerr := os.ReadFile(file); rerr == nil && n.isShim(string(content)) {
				return errors.New("there is one")
			}
		}
		return err
	})
	if err != nil {
		return "left to do by hand", ctx.Err()
	}
	return "ended by containerd", nil
}

// endShims ends the shims of our containerd, whose containers have ended, and removes their sockets, which lie in a
// folder that all shims of the machine share. While containerd runs it does both by itself.
func (n *node) endShims(context.Context) (string, error) {
	addresses, err := filepath.Glob(n.dir("containerd-state", "io.containerd.runtime.v2.task", "*", "*", "address"))
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	errs := []error{err}
	for _, file := range files {
		errs = append(errs, killIf(filepath.Base(filepath.Dir(file)), "cmdline", n.isShim))
	}
	for _, file := range addresses {
		address, err := os.ReadFile(file)
		if path, isPath := strings.CutPrefix(strings.TrimSpace(string(address)), "unix://"); isPath && err == nil {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return "ended", errors.Join(errs...)
}

// removeContainerTraces removes what programs leave of our pods in folders that they share with others.
func removeContainerTraces(sandboxes []string, podLogs string) error {
	results, err := cniResults(sandboxes)
	if err != nil {
		return err
	}
	links, err := filepath.Glob("/var/log/containers/*.log")
	if err != nil {
		return err
	}
	var errs []error
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, podLogs+"/") {
			results = append(results, link)
		}
	}
	for _, path := range results {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}

// removeTree removes a folder, the file last that says whose it is: after an interruption, the next down goes on.
func removeTree(folder, last string) error {
	// What is mounted below it would be emptied too.
	points, err := mountsBelow(folder)
	if err != nil {
		return err
	}
	if len(points) > 0 {
		return fmt.Errorf("%s is still mounted", points[0])
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		if path == last {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return os.RemoveAll(folder)
}

// mountsBelow lists the mount points in a folder, the last mounted first.
func mountsBelow(folder string) ([]string, error) {
	content, err := os.ReadFile("/proc/self/mountinfo")
	return parseMounts(string(content), folder), err
}

// parseMounts reads the format of proc_pid_mountinfo(5), where the fifth field is the mount point.
func parseMounts(content, folder string) []string {
	// The kernel does this to the characters that would end a field.
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var points []string
	for line := range strings.Lines(content) {
		if fields := strings.Fields(line); len(fields) > 4 {
			if point := unescape.Replace(fields[4]); strings.HasPrefix(point, folder+"/") {
				points = append([]string{point}, points...)
			}
		}
	}
	return points
}

// unmountBelow unmounts everything below a folder, and says how much that was.
func unmountBelow(ctx context.Context, folder string) (string, error) {
	count := 0
	var last error
	for range 5 { // one mount may lie on top of another, at the same place
		points, err := mountsBelow(folder)
		if err != nil || len(points) == 0 {
			return fmt.Sprintf("%d unmounted", count), err
		}
		last = nil
		for _, point := range points {
			// Lazily: a file that somebody has open must not leave the mount there for ever.
			if _, err := run(ctx, "umount", "--lazy", point); err != nil {
				last = errors.Join(last, err)
				continue
			}
			count++
		}
	}
	return "", errors.Join(fmt.Errorf("there are still mounts below %s", folder), last)
}
