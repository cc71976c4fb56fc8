// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Stack is a cluster with one running controller and one running server. Most suites
// share one.
type Stack struct {
	*Cluster
	Controller *Process
	Server     *Process
}

// StartStack starts a cluster, a controller with controllerFlags and a server, and
// waits until admission works. The caller stops it, also after an error that comes
// with a stack.
func StartStack(ctx context.Context, controllerFlags ...string) (*Stack, error) {
	cluster, err := Start(ctx)
	if err != nil {
		return nil, err
	}
	return StackOn(ctx, cluster, controllerFlags...)
}

// StackOn is StartStack on an existing cluster.
func StackOn(ctx context.Context, cluster *Cluster, controllerFlags ...string) (*Stack, error) {
	var err error
	s := &Stack{Cluster: cluster}
	if s.Controller, err = cluster.Controller("controller", controllerFlags...); err != nil {
		return s, err
	}
	if s.Server, err = cluster.Server("server"); err != nil {
		return s, err
	}
	if err := errors.Join(s.Controller.Launch(ctx), s.Server.Launch(ctx)); err != nil {
		return s, err
	}
	if err := errors.Join(s.Controller.AwaitReady(ctx), s.Server.AwaitReady(ctx)); err != nil {
		return s, err
	}
	return s, cluster.AwaitAdmission(ctx)
}

// Crashes returns what panics and the race detector printed into the cluster's logs,
// a line for each file and sign.
func (c *Cluster) Crashes() ([]string, error) {
	logs, err := c.Logs()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for _, sign := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: ", "Observed a panic"} {
			if strings.Contains(string(text), sign) {
				found = append(found, filepath.Base(path)+" has "+sign)
			}
		}
	}
	return found, nil
}
