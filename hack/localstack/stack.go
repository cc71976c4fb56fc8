// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/controlplane"
	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// options are what a caller chooses.
type options struct {
	replicas int
	wipe     bool
}

// stack is the local stack of one source tree.
type stack struct {
	options
	supervise.Keeper
	root  string
	ports ports
	plane controlplane.Plane
}

func openStack(o options) (*stack, error) {
	root, err := supervise.Root()
	if err != nil {
		return nil, err
	}
	s := &stack{options: o, root: root}
	s.Keeper = supervise.Keeper{
		Dir: root, Logs: s.path("log"), Socket: s.path("keeper.sock"), Argv: []string{"/proc/self/exe", "keep"},
	}
	if s.ports, err = loadPorts(s.path("ports")); err != nil {
		return nil, err
	}
	return s, nil
}

// path is a place below bin/dev.
func (s *stack) path(elem ...string) string {
	return filepath.Join(append([]string{s.root, "bin", "dev"}, elem...)...)
}

func (s *stack) config(folder string) string { return filepath.Join(s.root, "config", folder) }

// relative shortens a path below the root for people.
func (s *stack) relative(path string) string {
	if short, err := filepath.Rel(s.root, path); err == nil && filepath.IsLocal(short) {
		return short
	}
	return path
}

func linef(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func (s *stack) kubectl() framework.Kubectl { return s.kubectlAs(s.path("admin.kubeconfig")) }

func (s *stack) kubectlAs(kubeconfig string) framework.Kubectl {
	return framework.NewKubectl(filepath.Join(s.plane.Assets, "kubectl"), kubeconfig, s.path("kubectl-cache"))
}

// get reads objects into a Go value.
func (s *stack) get(ctx context.Context, into any, args ...string) error {
	out, err := s.kubectl().Run(ctx, "", append([]string{"get", "--output", "json"}, args...)...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), into)
}

func (s *stack) down(ctx context.Context) error {
	list, err := s.List(ctx)
	if err != nil {
		return err
	}
	for _, process := range slices.Backward(list) { // none loses what it depends on before it ends
		if err := supervise.Step(ctx, process.Name, func(ctx context.Context) (string, error) {
			_, err := s.Stop(ctx, process.Name)
			return "stopped", err
		}); err != nil {
			return err
		}
	}
	if err := s.End(ctx); err != nil {
		return err
	}
	if len(list) == 0 {
		linef("nothing was running")
	}
	if !s.wipe {
		return nil
	}
	linef("%s removed", s.relative(s.path()))
	return os.RemoveAll(s.path())
}

// status lists the processes. It changes nothing, and so needs no lock.
func (s *stack) status(ctx context.Context) error {
	list, err := s.List(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		linef("nothing is running")
		return nil
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "NAME\tSTATE\tPID\tAGE\tPORTS\tLOG")
	for _, p := range list {
		state := "ended"
		if p.PID != 0 {
			state = "running"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n",
			p.Name, state, p.PID, time.Since(p.Started).Round(time.Second), s.ports.describe(p.Name), s.relative(s.Log(p.Name)))
	}
	return table.Flush()
}
