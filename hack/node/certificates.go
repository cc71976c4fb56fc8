// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"os"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/pki"
	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

const (
	frontProxyName = "front-proxy-client"
	masters        = "system:masters"
)

// client is a client of the API server that has a certificate.
type client struct {
	file   string
	user   string
	groups []string
}

// clients are named as the roles that Kubernetes binds by default expect. The last one is the API server itself, when
// it calls the kubelet.
var clients = []client{
	{"admin", "node-admin", []string{masters}},
	{"kube-controller-manager", "system:kube-controller-manager", nil},
	{"kube-scheduler", "system:kube-scheduler", nil},
	{"kube-proxy", "system:kube-proxy", nil},
	{"kubelet", "system:node:" + nodeName, []string{"system:nodes"}},
	{"kubelet-client", "kube-apiserver-kubelet-client", []string{masters}},
}

func (l layout) keys() pki.Set {
	names := []string{
		"ca.crt", "ca.key", "server.crt", "server.key", "front-proxy-ca.crt", "front-proxy-client.crt",
		"front-proxy-client.key", "service-account.key", "service-account.pub",
	}
	for _, c := range clients {
		names = append(names, c.file+".crt", c.file+".key")
	}
	return pki.Set{Dir: l.dir("pki"), Authority: "ca.crt", Names: names, Make: newKeys}
}

// newKeys makes two authorities and what they vouch for: one for the servers and their clients, and one for the front
// proxy alone, since whoever holds a certificate of the latter may act as anybody towards an aggregated API server.
func newKeys(now time.Time) (map[string][]byte, error) {
	pairs := map[string]*pki.Pair{}
	var err error
	if pairs["ca"], err = pki.NewAuthority(nodeName+"-ca", now); err != nil {
		return nil, err
	}
	frontCA, err := pki.NewAuthority(nodeName+"-front-proxy-ca", now)
	if err != nil {
		return nil, err
	}
	// All servers run on the one node and may share a certificate.
	if pairs["server"], err = pairs["ca"].NewServer(nodeName, now,
		[]string{"localhost", nodeName, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		[]net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(nodeAddress), net.ParseIP(serviceAddress)}); err != nil {
		return nil, err
	}
	if pairs["front-proxy-client"], err = frontCA.NewClient(frontProxyName, now); err != nil {
		return nil, err
	}
	for _, c := range clients {
		if pairs[c.file], err = pairs["ca"].NewClient(c.user, now, c.groups...); err != nil {
			return nil, err
		}
	}
	files := map[string][]byte{"front-proxy-ca.crt": frontCA.CertificatePEM()}
	for file, pair := range pairs {
		files[file+".crt"] = pair.CertificatePEM()
		if files[file+".key"], err = pair.KeyPEM(); err != nil {
			return nil, err
		}
	}
	files["service-account.key"], files["service-account.pub"], err = pki.NewSigner()
	return files, err
}

// ensureKeys makes the keys, the certificates, and a kubeconfig for each client that uses one.
func (n *node) ensureKeys() (string, error) {
	made, err := n.keys().Ensure(n.Now())
	if err != nil {
		return "", err
	}
	ca, err := os.ReadFile(n.pki("ca.crt"))
	if err != nil {
		return "", err
	}
	for _, c := range clients {
		certificate, err := os.ReadFile(n.pki(c.file + ".crt"))
		if err != nil {
			return "", err
		}
		key, err := os.ReadFile(n.pki(c.file + ".key"))
		if err != nil {
			return "", err
		}
		content, err := pki.Kubeconfig(nodeName, apiserverURL, ca, pki.Credential{Certificate: certificate, Key: key})
		if err != nil {
			return "", fmt.Errorf("kubeconfig of %s: %w", c.file, err)
		}
		if err := supervise.WriteFile(n.kubeconfig(c.file), content); err != nil {
			return "", err
		}
	}
	if made {
		return "made", nil
	}
	return "are there", nil
}
