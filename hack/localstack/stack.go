// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// stack is the local stack of one source tree.
type stack struct {
	layout
	supervise.Keeper
	supervise.Report
	ports  *portBook
	assets string // where etcd, kube-apiserver and kubectl lie; set by prepare
}

// upOptions say what up brings up.
type upOptions struct {
	replicas         int
	verbosity        int
	rest             bool
	controlPlaneOnly bool
}

func (o *upOptions) addFlags(flags *pflag.FlagSet) {
	flags.IntVar(&o.replicas, "replicas", 2, "how many servers run behind the load balancer")
	flags.IntVar(&o.verbosity, "verbosity", 1, "log verbosity of the controller and the servers")
	flags.BoolVar(&o.rest, "rest", restByDefault, "let the servers serve the REST APIs")
}

func (o *upOptions) validate() error {
	if o.replicas < 1 || o.replicas > 9 {
		return fmt.Errorf("--replicas is %d: between 1 and 9, please", o.replicas)
	}
	return nil
}

func openStack(root string, out io.Writer) (*stack, error) {
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		if root, err = supervise.FindRoot(dir); err != nil {
			return nil, err
		}
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return nil, fmt.Errorf("the local stack needs Linux, whose /proc tells which processes it started: %w", err)
	}
	l := layout{root: root}
	return &stack{
		layout: l,
		Keeper: supervise.Keeper{Dir: root, Logs: l.dev("log"), Records: l.dev("run")},
		Report: supervise.Report{Out: out, Now: time.Now},
	}, nil
}

// locked runs f as the only one that changes this stack.
func (s *stack) locked(ctx context.Context, f func(context.Context) error) error {
	waiting := func() { s.Linef("waiting for another localstack command to finish") }
	return supervise.WithLock(ctx, s.lock(), waiting, func(ctx context.Context) error {
		var err error
		if s.ports, err = loadPorts(s.layout.ports()); err != nil {
			return err
		}
		return f(ctx)
	})
}

// prepare finds or builds the binaries of the control plane.
func (s *stack) prepare(ctx context.Context) error {
	script := filepath.Join(s.root, "hack", "controlplane", "build.sh")
	command := exec.CommandContext(ctx, script, "--print-assets")
	command.Stderr = os.Stderr // its progress
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 5 * time.Second
	out, err := command.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", s.relative(script), err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	s.assets = lines[len(lines)-1]
	return nil
}

func (s *stack) kubectl() framework.Kubectl { return s.kubectlAs(s.adminKubeconfig()) }

func (s *stack) kubectlAs(kubeconfig string) framework.Kubectl {
	return framework.NewKubectl(filepath.Join(s.assets, "kubectl"), kubeconfig, s.dev("kubectl-cache"))
}

// get reads objects into a Go value.
func (s *stack) get(ctx context.Context, into any, args ...string) error {
	out, err := s.kubectl().Run(ctx, "", append([]string{"get", "--output", "json"}, args...)...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), into)
}

// claimPorts settles every port before the first process starts, since their addresses appear in each other's
// arguments.
func (s *stack) claimPorts(replicas int) error {
	purposes := map[string][]string{
		"etcd":           {"client", "peer"},
		"kube-apiserver": {"secure"},
		"controller":     {"metrics", "health"},
		"balancer":       {"webhook", "rest"},
	}
	for i := range replicas {
		purposes[serverName(i)] = []string{"webhook", "rest", "metrics", "health"}
	}
	for owner, list := range purposes {
		r, err := s.Load(owner)
		if err != nil {
			return err
		}
		if err := s.ports.claim(owner, r.Running(), list...); err != nil {
			return err
		}
	}
	return s.ports.save()
}

func (s *stack) down(ctx context.Context, wipe bool) error {
	names, err := s.Recorded()
	if err != nil {
		return err
	}
	stopped := 0
	for _, name := range stopOrder(names) {
		if err := s.Step(ctx, name, func(ctx context.Context) (string, error) {
			found, err := s.Stop(ctx, name)
			if !found {
				return "was not running", err
			}
			stopped++
			return "stopped", err
		}); err != nil {
			return err
		}
	}
	if stopped == 0 {
		s.Linef("nothing was running")
	}
	if !wipe {
		return nil
	}
	if err := os.RemoveAll(s.dev()); err != nil {
		return err
	}
	s.Linef("%s removed", s.relative(s.dev()))
	return nil
}

// need returns an error that says how to make a file that is missing.
func (s *stack) need(path, how string) error {
	_, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is missing: %s", s.relative(path), how)
	}
	return err
}

func itoa(n int) string { return strconv.Itoa(n) }
