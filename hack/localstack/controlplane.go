// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/http"
	"path/filepath"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/pki"
	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

const (
	frontProxyName       = "front-proxy-client"
	serviceAccountIssuer = "https://kubernetes.default.svc"
)

// auditPolicy records who did what, never what was sent or answered: objects may hold secrets.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

func (s *stack) etcdURL() string { return "http://" + s.ports.address("etcd", "client") }
func (s *stack) apiserverURL() string {
	return "https://" + s.ports.address("kube-apiserver", "secure")
}

func (s *stack) etcd() supervise.Process {
	peer := "http://" + s.ports.address("etcd", "peer")
	return supervise.Process{
		Name: "etcd",
		Argv: []string{
			filepath.Join(s.assets, "etcd"),
			"--name=localstack",
			"--data-dir=" + s.dev("data", "etcd"),
			"--listen-client-urls=" + s.etcdURL(),
			"--advertise-client-urls=" + s.etcdURL(),
			"--listen-peer-urls=" + peer,
			"--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=localstack=" + peer,
			"--unsafe-no-fsync", // nothing here has to survive a power cut
			"--log-level=warn",
		},
		Ready: func(ctx context.Context) error {
			return supervise.AnswersOK(ctx, http.DefaultClient, s.etcdURL()+"/readyz")
		},
		Patience: 30 * time.Second,
	}
}

// apiserver runs with the aggregation layer. With no kube-proxy, it reaches webhooks and aggregated servers through
// Services of type ExternalName, for which aggregator routing has to stay off.
func (s *stack) apiserver() supervise.Process {
	argv := []string{
		filepath.Join(s.assets, "kube-apiserver"),
		"--etcd-servers=" + s.etcdURL(),
		"--bind-address=" + loopback,
		"--advertise-address=" + loopback,
		"--endpoint-reconciler-type=none", // there is no address to publish
		"--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=RBAC",
		"--allow-privileged=true",
		// Without kube-controller-manager no namespace has a default service account, and no pod would be admitted.
		"--disable-admission-plugins=ServiceAccount",
		"--service-account-issuer=" + serviceAccountIssuer,
		"--enable-aggregator-routing=false",
		"--requestheader-allowed-names=" + frontProxyName,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-uid-headers=X-Remote-Uid",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--audit-policy-file=" + s.dev("audit-policy.yaml"),
		"--audit-log-path=" + s.dev("log", "audit.log"),
		"--audit-log-maxsize=100", // megabytes
		"--audit-log-maxbackup=2",
		"--profiling=false",
	}
	files := []string{s.dev("audit-policy.yaml")}
	for _, input := range [][2]string{
		{"tls-cert-file", "apiserver.crt"}, {"tls-private-key-file", "apiserver.key"}, {"client-ca-file", "ca.crt"},
		{"service-account-signing-key-file", "service-account.key"}, {"service-account-key-file", "service-account.pub"},
		{"proxy-client-cert-file", "front-proxy-client.crt"}, {"proxy-client-key-file", "front-proxy-client.key"},
		{"requestheader-client-ca-file", "front-proxy-ca.crt"},
	} {
		argv = append(argv, "--"+input[0]+"="+s.pki(input[1]))
		files = append(files, s.pki(input[1]))
	}
	argv = append(argv, "--secure-port="+itoa(s.ports.number("kube-apiserver", "secure")))
	return supervise.Process{
		Name:  "kube-apiserver",
		Argv:  argv,
		Files: files,
		Ready: func(ctx context.Context) error {
			client, err := s.adminClient()
			if err != nil {
				return err
			}
			defer client.CloseIdleConnections()
			return supervise.AnswersOK(ctx, client, s.apiserverURL()+"/readyz")
		},
		Patience: 2 * time.Minute,
	}
}

// adminClient speaks to the API server with the administrator's certificate.
func (s *stack) adminClient() (*http.Client, error) {
	return pki.NewHTTPClient(s.pki("ca.crt"), s.pki("admin.crt"), s.pki("admin.key"))
}
