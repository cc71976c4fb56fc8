// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controlplane says how etcd and kube-apiserver of a development stack are started, and makes their keys,
// certificates and kubeconfigs. It writes only below the folder of the stack.
package controlplane

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// auditPolicy records who did what, never what was sent or answered: objects may hold secrets.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// Plane is the control plane of one stack.
type Plane struct {
	Name   string // of the cluster
	Dir    string // holds all that the stack owns
	Assets string // where the binaries lie
	// Server is the file of the API server's certificate, which is one of Certificates; "admin" is another.
	Server       string
	Certificates []Certificate

	EtcdURL, PeerURL, URL string
}

// Build finds or builds binaries, and returns their folder.
func Build(ctx context.Context, root string, names ...string) (string, error) {
	script := filepath.Join(root, "hack", "controlplane", "build.sh")
	command := exec.CommandContext(ctx, script, append([]string{"--print-assets"}, names...)...)
	command.Stderr = os.Stderr // its progress
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 5 * time.Second
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("hack/controlplane/build.sh: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1], nil
}

// Etcd is the store. Nothing here has to survive a power cut.
func (p Plane) Etcd(data string) supervise.Process {
	return p.Process("etcd", p.EtcdURL+"/readyz", []string{
		"--name=" + p.Name,
		"--data-dir=" + data,
		"--listen-client-urls=" + p.EtcdURL,
		"--advertise-client-urls=" + p.EtcdURL,
		"--listen-peer-urls=" + p.PeerURL,
		"--initial-advertise-peer-urls=" + p.PeerURL,
		"--initial-cluster=" + p.Name + "=" + p.PeerURL,
		"--unsafe-no-fsync",
		"--log-level=warn",
	})
}

// APIServer is the API server with the aggregation layer and an audit log, and what else the stack wants of it. Keys are
// flags whose values are files of keys and certificates.
func (p Plane) APIServer(flags []string, keys ...string) (supervise.Process, error) {
	policy := filepath.Join(p.Dir, "audit-policy.yaml")
	keyFlags, files := p.KeyFlags(append(keys,
		"tls-cert-file="+p.Server+".crt", "tls-private-key-file="+p.Server+".key", "client-ca-file=ca.crt",
		"service-account-signing-key-file=service-account.key", "service-account-key-file=service-account.pub",
		"proxy-client-cert-file="+frontProxy.File+".crt", "proxy-client-key-file="+frontProxy.File+".key",
		"requestheader-client-ca-file=front-proxy-ca.crt",
	)...)
	argv := append([]string{
		"--etcd-servers=" + p.EtcdURL,
		"--allow-privileged=true",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--requestheader-allowed-names=" + frontProxy.Name,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-uid-headers=X-Remote-Uid",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--audit-policy-file=" + policy,
		"--audit-log-path=" + filepath.Join(p.Dir, "log", "audit.log"),
		"--audit-log-maxsize=100", // megabytes
		"--audit-log-maxbackup=2",
		"--profiling=false",
	}, flags...)
	return p.Process("kube-apiserver", p.URL+"/readyz", append(argv, keyFlags...), append(files, policy)...),
		supervise.WriteFile(policy, []byte(auditPolicy))
}

// KeyFlags renders flags, each written as NAME=FILE, whose values are files of keys and certificates.
func (p Plane) KeyFlags(list ...string) (flags, files []string) {
	for _, flag := range list {
		name, file, _ := strings.Cut(flag, "=")
		flags = append(flags, "--"+name+"="+p.Key(file))
		files = append(files, p.Key(file))
	}
	return flags, files
}

// Process is a binary of Kubernetes that is ready when a URL is answered to the administrator.
func (p Plane) Process(name, url string, flags []string, files ...string) supervise.Process {
	program := filepath.Join(p.Assets, name)
	return supervise.Process{
		Name:     name,
		Argv:     append([]string{program}, flags...),
		Files:    append([]string{program}, files...),
		Ready:    func(ctx context.Context) error { return p.Answers(ctx, url) },
		Patience: 2 * time.Minute,
	}
}

// Answers returns nil if a GET by the administrator is answered with 200.
func (p Plane) Answers(ctx context.Context, url string) error {
	client, err := rest.HTTPClientFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{
		CAFile: p.Key("ca.crt"), CertFile: p.Key("admin.crt"), KeyFile: p.Key("admin.key"),
	}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

// User is how a kubeconfig authenticates as who has a certificate.
func (p Plane) User(file string) (*api.AuthInfo, error) {
	certificate, err := os.ReadFile(p.Key(file + ".crt"))
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(p.Key(file + ".key"))
	return &api.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}, err
}

// WriteKubeconfig writes a kubeconfig that needs no other file beside it.
func (p Plane) WriteKubeconfig(path string, user *api.AuthInfo) error {
	ca, err := os.ReadFile(p.Key("ca.crt"))
	if err != nil {
		return err
	}
	config := api.NewConfig()
	config.Clusters[p.Name] = &api.Cluster{Server: p.URL, CertificateAuthorityData: ca}
	config.AuthInfos[p.Name] = user
	config.Contexts[p.Name] = &api.Context{Cluster: p.Name, AuthInfo: p.Name}
	config.CurrentContext = p.Name
	content, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return supervise.WriteFile(path, content)
}
