// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// down ends and removes everything that up started and made, in an order in which nothing is started anew.
func (n *node) down(ctx context.Context) error {
	m, known, err := n.loadMachine()
	if err != nil {
		return err
	}
	if !known {
		n.Linef("nothing is there")
		return nil
	}
	names, err := n.Recorded()
	if err != nil {
		return err
	}
	sandboxes, err := n.sandboxes()
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) (string, error)
	}{
		{"kubelet", n.stopping("kubelet")},
		{"containers", n.endContainers},
		{"containerd", n.stopping("containerd")},
		{"shims", func(ctx context.Context) (string, error) {
			count, err := n.endShims(ctx)
			if err != nil {
				return "", err
			}
			// A container that was being started when the others were ended.
			_, err = killContainers(ctx)
			return fmt.Sprintf("%d ended", count), err
		}},
		{"control plane", n.stopping(controlPlane(names)...)},
		{"mounts", func(ctx context.Context) (string, error) {
			count, err := unmountBelow(ctx, n.dir())
			return fmt.Sprintf("%d unmounted", count), err
		}},
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
		if err := n.Step(ctx, step.name, step.do); err != nil {
			return err
		}
	}
	return nil
}

// controlPlane sorts the processes that are left on record once kubelet and containerd are gone: first those that need
// the API server, last etcd.
func controlPlane(recorded []string) []string {
	order := []string{"kube-apiserver", "etcd"}
	left := slices.DeleteFunc(slices.Clone(recorded), func(name string) bool {
		return name == "kubelet" || name == "containerd"
	})
	slices.SortStableFunc(left, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	return left
}

// stopping returns a step that stops the processes of these names.
func (n *node) stopping(names ...string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		stopped := 0
		for _, name := range names {
			found, err := n.Stop(ctx, name)
			if err != nil {
				return "", err
			}
			if found {
				stopped++
			}
		}
		switch {
		case stopped == 0:
			return "not running", nil
		case len(names) == 1:
			return "stopped", nil
		}
		return fmt.Sprintf("stopped (%d processes)", stopped), nil
	}
}

// endContainers ends the containers and gives containerd, if it still runs, a little time to remove what belonged to
// them. What it does not get done is done by the steps that follow.
func (n *node) endContainers(ctx context.Context) (string, error) {
	killed, err := killContainers(ctx)
	if err != nil {
		return "", err
	}
	containerd, err := n.Load("containerd")
	if err != nil {
		return "", err
	}
	waitCtx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	err = supervise.Poll(waitCtx, 100*time.Millisecond, func(context.Context) (bool, error) {
		shims, err := n.shims()
		return len(shims) == 0 || !containerd.Running(), err
	})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return "", err
	}
	return fmt.Sprintf("ended (%d processes)", killed), nil
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
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	if points := below(mounts, folder); len(points) > 0 {
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
