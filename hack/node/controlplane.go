// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/http"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/pki"
	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// The ports are the usual ones: nothing else is in the network namespace.
const (
	etcdURL      = "http://" + nodeAddress + ":2379"
	etcdPeerURL  = "http://127.0.0.1:2380"
	apiserverURL = "https://" + nodeAddress + ":6443"
)

// auditPolicy records who did what, never what was sent or answered: objects may hold secrets.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// process is a process in the network namespace. Its readiness is asked for at a URL, as the administrator.
func (n *node) process(name, url string, argv []string, files ...string) supervise.Process {
	return supervise.Process{
		Name:  name,
		Argv:  argv,
		Files: files,
		Enter: inNamespace(),
		Ready: func(ctx context.Context) error {
			client, err := n.adminClient()
			if err != nil {
				return err
			}
			defer client.CloseIdleConnections()
			return supervise.AnswersOK(ctx, client, url)
		},
		Patience: 2 * time.Minute,
	}
}

// adminClient speaks to the cluster's servers with the administrator's certificate.
func (l layout) adminClient() (*http.Client, error) {
	return pki.NewHTTPClient(l.pki("ca.crt"), l.pki("admin.crt"), l.pki("admin.key"))
}

func (n *node) etcd() supervise.Process {
	return n.process("etcd", etcdURL+"/readyz", []string{
		n.asset("etcd"),
		"--name=" + nodeName,
		"--data-dir=" + n.dir("etcd"),
		"--listen-client-urls=" + etcdURL,
		"--advertise-client-urls=" + etcdURL,
		"--listen-peer-urls=" + etcdPeerURL,
		"--initial-advertise-peer-urls=" + etcdPeerURL,
		"--initial-cluster=" + nodeName + "=" + etcdPeerURL,
		"--unsafe-no-fsync", // nothing here has to survive a power cut
		"--log-level=warn",
	})
}

// apiserver runs with the defaults of a production cluster where there is a choice: Node and RBAC authorization, the
// default admission plugins, the aggregation layer.
func (n *node) apiserver() supervise.Process {
	argv := []string{
		n.asset("kube-apiserver"),
		"--etcd-servers=" + etcdURL,
		"--bind-address=0.0.0.0", // of the network namespace
		"--secure-port=6443",
		"--advertise-address=" + nodeAddress,
		"--service-cluster-ip-range=" + serviceRange,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-allowed-names=" + frontProxyName,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-uid-headers=X-Remote-Uid",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--audit-policy-file=" + n.config("audit-policy.yaml"),
		"--audit-log-path=" + n.dir("log", "audit.log"),
		"--audit-log-maxsize=100", // megabytes
		"--audit-log-maxbackup=2",
		"--profiling=false",
	}
	flags, files := n.fileFlags([][2]string{
		{"tls-cert-file", "server.crt"}, {"tls-private-key-file", "server.key"}, {"client-ca-file", "ca.crt"},
		{"service-account-signing-key-file", "service-account.key"}, {"service-account-key-file", "service-account.pub"},
		{"kubelet-client-certificate", "kubelet-client.crt"}, {"kubelet-client-key", "kubelet-client.key"},
		{"kubelet-certificate-authority", "ca.crt"},
		{"proxy-client-cert-file", "front-proxy-client.crt"}, {"proxy-client-key-file", "front-proxy-client.key"},
		{"requestheader-client-ca-file", "front-proxy-ca.crt"},
	})
	files = append(files, n.config("audit-policy.yaml"))
	return n.process("kube-apiserver", apiserverURL+"/readyz", append(argv, flags...), files...)
}

// fileFlags renders flags whose values are files of keys and certificates.
func (l layout) fileFlags(list [][2]string) (flags, files []string) {
	for _, input := range list {
		flags = append(flags, "--"+input[0]+"="+l.pki(input[1]))
		files = append(files, l.pki(input[1]))
	}
	return flags, files
}

// delegating are the flags of a component that lets the API server authenticate and authorize its own callers.
func (n *node) delegating(name string) (flags, files []string) {
	flags, files = n.fileFlags([][2]string{
		{"tls-cert-file", "server.crt"}, {"tls-private-key-file", "server.key"}, {"client-ca-file", "ca.crt"},
		{"requestheader-client-ca-file", "front-proxy-ca.crt"},
	})
	for _, flag := range []string{"kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"} {
		flags = append(flags, "--"+flag+"="+n.kubeconfig(name))
	}
	return append(flags, "--bind-address="+nodeAddress, "--leader-elect=false"), append(files, n.kubeconfig(name))
}

func (n *node) controllerManager() supervise.Process {
	flags, files := n.delegating("kube-controller-manager")
	more, moreFiles := n.fileFlags([][2]string{
		{"root-ca-file", "ca.crt"}, {"service-account-private-key-file", "service-account.key"},
		{"cluster-signing-cert-file", "ca.crt"}, {"cluster-signing-key-file", "ca.key"},
	})
	argv := append([]string{
		n.asset("kube-controller-manager"),
		"--use-service-account-credentials",
		"--kube-api-qps=200", "--kube-api-burst=400", // with the default, it takes seconds to start its controllers
		"--node-monitor-period=1s",                            // how soon a node that became ready loses the taint that keeps pods away
		"--flex-volume-plugin-dir=" + n.dir("volume-plugins"), // it makes the folder
	}, flags...)
	return n.process("kube-controller-manager", "https://"+nodeAddress+":10257/healthz", append(argv, more...),
		append(files, moreFiles...)...)
}

func (n *node) scheduler() supervise.Process {
	flags, files := n.delegating("kube-scheduler")
	return n.process("kube-scheduler", "https://"+nodeAddress+":10259/healthz",
		append([]string{n.asset("kube-scheduler")}, flags...), files...)
}
