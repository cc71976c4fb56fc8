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
)

const (
	systemNamespace = "latchkey-system"
	// restByDefault says whether the servers are started with a port for the REST APIs.
	restByDefault = true
)

func serverName(i int) string { return fmt.Sprintf("server-%d", i) }

// latchkeyProcess is `latchkey COMMAND` with what its two commands have in common.
func (s *stack) latchkeyProcess(name, command string, o upOptions, flags ...string) process {
	file := s.dev(command + ".kubeconfig")
	health := s.ports.address(name, "health")
	return process{
		name: name,
		argv: append([]string{
			s.latchkey(), command,
			"--kubeconfig=" + file,
			"--namespace=" + systemNamespace,
			"--metrics-bind-address=" + s.ports.address(name, "metrics"),
			"--health-probe-bind-address=" + health,
			fmt.Sprintf("-v=%d", o.verbosity),
		}, flags...),
		files: []string{file},
		ready: func(ctx context.Context) error {
			return answersOK(ctx, http.DefaultClient, "http://"+health+"/readyz")
		},
		patience: time.Minute,
	}
}

func (s *stack) controller(o upOptions) process {
	return s.latchkeyProcess("controller", "controller", o)
}

func (s *stack) server(i int, o upOptions) process {
	name := serverName(i)
	flags := []string{"--webhook-bind-address=" + s.ports.address(name, "webhook")}
	if o.rest {
		flags = append(flags, "--secure-bind-address="+s.ports.address(name, "rest"))
	}
	return s.latchkeyProcess(name, "server", o, flags...)
}

// balancer runs this program once more, from a copy that outlives `go run`.
func (s *stack) balancer(o upOptions) (process, error) {
	program := s.dev("localstack")
	if err := copyProgram(program); err != nil {
		return process{}, err
	}
	p := process{name: "balancer", argv: []string{program, "lb"}, patience: 10 * time.Second}
	purposes := []string{"webhook"}
	if o.rest {
		purposes = append(purposes, "rest")
	}
	for _, purpose := range purposes {
		var backends []string
		for i := range o.replicas {
			backends = append(backends, s.ports.address(serverName(i), purpose))
		}
		p.argv = append(p.argv, "--route="+s.ports.address("balancer", purpose)+"="+strings.Join(backends, "+"))
	}
	p.ready = func(ctx context.Context) error {
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
	if err := writeFile(path, content); err != nil {
		return err
	}
	return os.Chmod(path, 0o700)
}

// stopOrder sorts process names so that none loses what it depends on before it ends.
func stopOrder(names []string) []string {
	rank := func(name string) int {
		if i := slices.Index([]string{"balancer", "server", "controller", "kube-apiserver", "etcd"}, name); i >= 0 {
			return i
		}
		return 1 // server-N
	}
	ordered := slices.Clone(names)
	slices.SortStableFunc(ordered, func(a, b string) int { return rank(a) - rank(b) })
	return ordered
}
