// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

const (
	systemNamespace = "latchkey-system"
	// restByDefault says whether the servers are started with a port for the REST APIs.
	restByDefault = true
)

func serverName(i int) string { return fmt.Sprintf("server-%d", i) }

// latchkeyProcess is `latchkey COMMAND` with what its two commands have in common.
func (s *stack) latchkeyProcess(name, command string, o upOptions, flags ...string) supervise.Process {
	file := s.dev(command + ".kubeconfig")
	health := s.ports.address(name, "health")
	return supervise.Process{
		Name: name,
		Argv: append([]string{
			s.latchkey(), command,
			"--kubeconfig=" + file,
			"--namespace=" + systemNamespace,
			"--metrics-bind-address=" + s.ports.address(name, "metrics"),
			"--health-probe-bind-address=" + health,
			fmt.Sprintf("-v=%d", o.verbosity),
		}, flags...),
		Files: []string{file},
		Ready: func(ctx context.Context) error {
			return supervise.AnswersOK(ctx, http.DefaultClient, "http://"+health+"/readyz")
		},
		Patience: time.Minute,
	}
}

func (s *stack) controller(o upOptions) supervise.Process {
	return s.latchkeyProcess("controller", "controller", o)
}

func (s *stack) server(i int, o upOptions) supervise.Process {
	name := serverName(i)
	flags := []string{"--webhook-bind-address=" + s.ports.address(name, "webhook")}
	if o.rest {
		flags = append(flags, "--secure-bind-address="+s.ports.address(name, "rest"))
	}
	return s.latchkeyProcess(name, "server", o, flags...)
}

// balancer runs this program once more, from a copy that outlives `go run`.
func (s *stack) balancer(o upOptions) (supervise.Process, error) {
	program := s.dev("localstack")
	if err := copyProgram(program); err != nil {
		return supervise.Process{}, err
	}
	p := supervise.Process{Name: "balancer", Argv: []string{program, "lb"}, Patience: 10 * time.Second}
	purposes := []string{"webhook"}
	if o.rest {
		purposes = append(purposes, "rest")
	}
	for _, purpose := range purposes {
		var backends []string
		for i := range o.replicas {
			backends = append(backends, s.ports.address(serverName(i), purpose))
		}
		p.Argv = append(p.Argv, "--route="+s.ports.address("balancer", purpose)+"="+strings.Join(backends, "+"))
	}
	p.Ready = func(ctx context.Context) error {
		for _, purpose := range purposes {
			connection, err := new(net.Dialer).DialContext(ctx, "tcp", s.ports.address("balancer", purpose))
			if err != nil {
				return err
			}
			_ = connection.Close()
		}
		return nil
	}
	return p, nil
}

// copyProgram copies the running program to path, unless an equal copy is there.
func copyProgram(path string) error {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	content, err := io.ReadAll(self)
	if err := errors.Join(err, self.Close()); err != nil {
		return err
	}
	if err := supervise.WriteFile(path, content); err != nil {
		return err
	}
	return os.Chmod(path, 0o700)
}

// stopOrder sorts process names so that none loses what it depends on before it ends.
func stopOrder(names []string) []string {
	rank := func(name string) int {
		if i := slices.Index([]string{restarter, "balancer", "server", "controller", "kube-apiserver", "etcd"}, name); i >= 0 {
			return i
		}
		return 2 // server-N
	}
	ordered := slices.Clone(names)
	slices.SortStableFunc(ordered, func(a, b string) int { return rank(a) - rank(b) })
	return ordered
}
