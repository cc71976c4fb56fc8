// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
)

// Component is the API server or etcd, for tests of their faults. It keeps its data, its
// port and its log. It is not safe for concurrent use.
type Component struct {
	name  string
	argv  []string
	pid   int
	log   string
	ready func(ctx context.Context) error

	command *exec.Cmd // once it was started again
}

// APIServer returns the API server of the cluster.
func (c *Cluster) APIServer() (*Component, error) {
	return c.component("kube-apiserver", func(ctx context.Context) error {
		transport, err := rest.HTTPClientFor(c.Config)
		if err != nil {
			return err
		}
		return answers(ctx, transport, strings.TrimSuffix(c.Config.Host, "/")+"/readyz")
	})
}

// EtcdServer returns the store of the cluster.
func (c *Cluster) EtcdServer() (*Component, error) {
	return c.component("etcd", func(ctx context.Context) error { return answers(ctx, http.DefaultClient, c.Etcd.url+"/health") })
}

func answers(ctx context.Context, caller *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := caller.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, response.Status)
	}
	return errors.Join(err, response.Body.Close())
}

// component finds a process that envtest started. It is a child of this one, and its
// command line says how to start it again.
func (c *Cluster) component(name string, ready func(context.Context) error) (*Component, error) {
	if found := c.components[name]; found != nil {
		return found, nil
	}
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return nil, err
	}
	for _, task := range tasks {
		children, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		for _, child := range strings.Fields(string(children)) {
			raw, err := os.ReadFile("/proc/" + child + "/cmdline")
			argv := strings.Split(string(bytes.TrimRight(raw, "\x00")), "\x00")
			if err != nil || filepath.Base(argv[0]) != name {
				continue
			}
			pid, err := strconv.Atoi(child)
			if err != nil {
				return nil, err
			}
			if c.components == nil {
				c.components = map[string]*Component{}
			}
			c.components[name] = &Component{name: name, argv: argv, pid: pid, log: filepath.Join(c.Dir, name+".log"), ready: ready}
			return c.components[name], nil
		}
	}
	return nil, fmt.Errorf("no %s was started here", name)
}

// PID returns the id of the process.
func (p *Component) PID() int { return p.pid }

// Pause stops the process until Resume.
func (p *Component) Pause() error { return syscall.Kill(p.pid, syscall.SIGSTOP) }

// Resume ends Pause.
func (p *Component) Resume() error { return syscall.Kill(p.pid, syscall.SIGCONT) }

// Kill ends the process at once and waits until its port is free.
func (p *Component) Kill(ctx context.Context) error {
	if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	if p.command != nil {
		_ = p.command.Wait() // it was killed
		return nil
	}
	return wait.PollUntilContextTimeout(ctx, pollEvery, stopTimeout, true, func(context.Context) (bool, error) {
		return errors.Is(syscall.Kill(p.pid, 0), syscall.ESRCH), nil // envtest waits for it
	})
}

// Start starts a process that was killed, and waits until it answers.
func (p *Component) Start(ctx context.Context) error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	p.command = exec.CommandContext(context.WithoutCancel(ctx), p.argv[0], p.argv[1:]...)
	p.command.Stdout, p.command.Stderr = log, log
	if err := p.command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.pid = p.command.Process.Pid
	return p.AwaitReady(ctx)
}

// AwaitReady waits until the process answers.
func (p *Component) AwaitReady(ctx context.Context) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollEvery, startTimeout, true, func(ctx context.Context) (bool, error) {
		last = p.ready(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%s is not ready: %w: %w", p.name, err, last)
	}
	return nil
}

// stop ends a process that was started again: envtest does not know it.
func (p *Component) stop() {
	if p.command != nil {
		_ = p.command.Process.Kill()
		_ = p.command.Wait()
	}
}
