// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"strings"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// up brings everything up in the order in which it depends on each other.
func (s *stack) up(ctx context.Context, o upOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	if !o.controlPlaneOnly {
		if err := s.need(s.latchkey(), "run make build"); err != nil {
			return err
		}
	}
	if err := s.upControlPlane(ctx, o.replicas); err != nil {
		return err
	}
	if !o.controlPlaneOnly {
		if err := s.upLatchkey(ctx, o); err != nil {
			return err
		}
	}
	last, err := s.restarter()
	if err != nil {
		return err
	}
	if err := s.run(ctx, last); err != nil {
		return err
	}
	s.Linef("up: source %s", s.relative(s.env()))
	return nil
}

func (s *stack) upControlPlane(ctx context.Context, replicas int) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if err := s.claimPorts(replicas); err != nil {
		return err
	}
	if err := s.Step(ctx, "keys and certificates", func(context.Context) (string, error) {
		made, err := s.keys().Ensure(s.Now())
		if made {
			return "made", err
		}
		return "are there", err
	}); err != nil {
		return err
	}
	if err := supervise.WriteFile(s.dev("audit-policy.yaml"), []byte(auditPolicy)); err != nil {
		return err
	}
	if err := s.writeAdminKubeconfig(); err != nil {
		return err
	}
	if err := s.run(ctx, s.etcd()); err != nil {
		return err
	}
	if err := s.run(ctx, s.apiserver()); err != nil {
		return err
	}
	return s.writeEnv()
}

func (s *stack) upLatchkey(ctx context.Context, o upOptions) error {
	if err := s.Step(ctx, "manifests", s.install); err != nil {
		return err
	}
	for _, name := range []string{"controller", "server"} {
		if err := s.Step(ctx, "token of latchkey-"+name, func(ctx context.Context) (string, error) {
			return s.ensureToken(ctx, name)
		}); err != nil {
			return err
		}
	}
	processes := []supervise.Process{s.controller(o)}
	for i := range o.replicas {
		processes = append(processes, s.server(i, o))
	}
	balancer, err := s.balancer(o)
	if err != nil {
		return err
	}
	processes = append(processes, balancer)
	for _, p := range processes {
		if err := s.run(ctx, p); err != nil {
			return err
		}
	}
	if err := s.stopSurplus(ctx, processes); err != nil {
		return err
	}
	if err := s.Step(ctx, "webhooks", s.awaitTrust); err != nil || !o.rest {
		return err
	}
	if err := s.Step(ctx, "user "+callerNamespace, s.ensureCaller); err != nil {
		return err
	}
	if err := s.Step(ctx, "APIServices", s.awaitAPIServices); err != nil {
		return err
	}
	return s.writeEnv()
}

func (s *stack) run(ctx context.Context, p supervise.Process) error {
	return s.Step(ctx, p.Name, func(ctx context.Context) (string, error) { return s.Ensure(ctx, p) })
}

// stopSurplus ends servers beyond the number of replicas that is wanted now.
func (s *stack) stopSurplus(ctx context.Context, wanted []supervise.Process) error {
	names, err := s.Recorded()
	if err != nil {
		return err
	}
	for _, name := range names {
		isWanted := func(p supervise.Process) bool { return p.Name == name }
		if !strings.HasPrefix(name, "server-") || slices.ContainsFunc(wanted, isWanted) {
			continue
		}
		if err := s.Step(ctx, name, func(ctx context.Context) (string, error) {
			_, err := s.Stop(ctx, name)
			return "not wanted any more, stopped", err
		}); err != nil {
			return err
		}
	}
	return nil
}
