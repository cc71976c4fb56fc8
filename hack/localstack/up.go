// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/controlplane"
	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

func serverName(i int) string { return fmt.Sprintf("server-%d", i) }

// up brings everything up in the order in which it depends on each other.
func (s *stack) up(ctx context.Context) error {
	if s.replicas < 1 || s.replicas > maxReplicas {
		return fmt.Errorf("--replicas is %d: between 1 and %d, please", s.replicas, maxReplicas)
	}
	if _, err := os.Stat(s.program()); err != nil {
		return fmt.Errorf("%w: run make build", err)
	}
	if err := s.upControlPlane(ctx); err != nil {
		return err
	}
	if err := s.upLatchkey(ctx); err != nil {
		return err
	}
	linef("up: source %s", s.relative(s.path("env")))
	return nil
}

func (s *stack) upControlPlane(ctx context.Context) error {
	assets, err := controlplane.Build(ctx, s.root)
	if err != nil {
		return err
	}
	if s.ports, err = claimPorts(s.path("ports"), s.ports, s.Running(ctx), portIsFree); err != nil {
		return err
	}
	s.plane = controlplane.Plane{
		Name: "latchkey-localstack", Dir: s.path(), Assets: assets, Server: "apiserver",
		Certificates: []controlplane.Certificate{
			{File: "apiserver", Name: "kube-apiserver", Hosts: []string{
				"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", loopback, "::1",
			}},
			{File: "admin", Name: "localstack-admin", Groups: []string{"system:masters"}},
		},
		EtcdURL: "http://" + s.ports.address("etcd", "client"),
		PeerURL: "http://" + s.ports.address("etcd", "peer"),
		URL:     "https://" + s.ports.address("kube-apiserver", "secure"),
	}
	if err := supervise.Step(ctx, "keys and certificates", func(context.Context) (string, error) {
		return s.plane.EnsureKeys(time.Now())
	}); err != nil {
		return err
	}
	admin, err := s.plane.User("admin")
	if err != nil {
		return err
	}
	// With no kube-proxy, the API server reaches webhooks and aggregated servers through their Services' ExternalName.
	apiserver, err := s.plane.APIServer([]string{
		"--bind-address=" + loopback,
		"--advertise-address=" + loopback,
		"--endpoint-reconciler-type=none", // there is no address to publish
		"--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=RBAC",
		// Without kube-controller-manager no namespace has a default service account, and no pod would be admitted.
		"--disable-admission-plugins=ServiceAccount",
		"--enable-aggregator-routing=false",
		fmt.Sprintf("--secure-port=%d", s.ports.number("kube-apiserver", "secure")),
	})
	if err := errors.Join(err, s.plane.WriteKubeconfig(s.path("admin.kubeconfig"), admin), s.Start(ctx)); err != nil {
		return err
	}
	if err := s.EnsureAll(ctx, s.plane.Etcd(s.path("data", "etcd")), apiserver); err != nil {
		return err
	}
	return s.writeEnv()
}

func (s *stack) upLatchkey(ctx context.Context) error {
	if err := supervise.Step(ctx, "manifests", s.install); err != nil {
		return err
	}
	for _, name := range []string{"controller", "server"} {
		if err := supervise.Step(ctx, "token of latchkey-"+name, func(ctx context.Context) (string, error) {
			return s.ensureToken(ctx, name)
		}); err != nil {
			return err
		}
	}
	processes := []supervise.Process{s.latchkey("controller", "controller")}
	for i := range s.replicas {
		processes = append(processes, s.server(i))
	}
	if err := s.EnsureAll(ctx, append(processes, s.balancer())...); err != nil {
		return err
	}
	for i := s.replicas; i < maxReplicas; i++ { // of a stack that had more
		if stopped, err := s.Stop(ctx, serverName(i)); err != nil {
			return err
		} else if stopped {
			linef("%s not wanted any more, stopped", serverName(i))
		}
	}
	if err := supervise.Step(ctx, "webhooks", s.awaitTrust); err != nil {
		return err
	}
	if err := supervise.Step(ctx, "user "+callerNamespace, s.ensureCaller); err != nil {
		return err
	}
	if err := supervise.Step(ctx, "APIServices", s.awaitAPIServices); err != nil {
		return err
	}
	return s.writeEnv()
}

func (s *stack) program() string { return filepath.Join(s.root, "bin", "latchkey") }

// latchkey is `latchkey COMMAND` with what its two commands have in common.
func (s *stack) latchkey(name, command string, flags ...string) supervise.Process {
	kubeconfig, health := s.path(command+".kubeconfig"), s.ports.address(name, "health")
	return supervise.Process{
		Name: name,
		Argv: append([]string{
			s.program(), command,
			"--kubeconfig=" + kubeconfig,
			"--namespace=" + systemNamespace,
			"--metrics-bind-address=" + s.ports.address(name, "metrics"),
			"--health-probe-bind-address=" + health,
			"-v=1",
		}, flags...),
		Files:    []string{s.program(), kubeconfig},
		Ready:    func(ctx context.Context) error { return s.plane.Answers(ctx, "http://"+health+"/readyz") },
		Patience: time.Minute,
	}
}

func (s *stack) server(i int) supervise.Process {
	name := serverName(i)
	return s.latchkey(name, "server", "--webhook-bind-address="+s.ports.address(name, "webhook"),
		"--secure-bind-address="+s.ports.address(name, "rest"))
}

// balancer is this program once more.
func (s *stack) balancer() supervise.Process {
	p := supervise.Process{Name: "balancer", Argv: []string{"/proc/self/exe", "lb"}, Patience: 10 * time.Second}
	purposes := []string{"webhook", "rest"}
	for _, purpose := range purposes {
		var backends []string
		for i := range s.replicas {
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
	return p
}

// writeEnv writes what is known so far of how the stack is reached.
func (s *stack) writeEnv() error {
	variables := []supervise.Variable{
		{Name: "KUBECONFIG", Value: s.path("admin.kubeconfig")},
		{Name: "KUBECTL", Value: s.kubectl().Path()},
	}
	if token, err := os.ReadFile(s.path("caller.token")); err == nil {
		var urls []string
		for i := range s.replicas {
			urls = append(urls, s.restURL(serverName(i)))
		}
		variables = append(variables,
			supervise.Variable{Name: "LATCHKEY_URL", Value: s.restURL("balancer")},
			supervise.Variable{Name: "LATCHKEY_URLS", Value: strings.Join(urls, " ")},
			supervise.Variable{Name: "LATCHKEY_CA", Value: s.path("latchkey-ca.crt")},
			supervise.Variable{Name: "LATCHKEY_TOKEN", Value: string(token)},
		)
	}
	return supervise.WriteFile(s.path("env"), supervise.RenderEnv("Written by hack/localstack: how to reach the local stack.", variables))
}

// restURL names a port by localhost, for which the certificate is valid.
func (s *stack) restURL(process string) string {
	return fmt.Sprintf("https://localhost:%d", s.ports.number(process, "rest"))
}
