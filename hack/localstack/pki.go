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

// keys are every key and certificate of the control plane.
func (l layout) keys() pki.Set {
	return pki.Set{Dir: l.dev("pki"), Authority: "ca.crt", Make: newPKI, Names: []string{
		"ca.crt", "ca.key", "apiserver.crt", "apiserver.key", "admin.crt", "admin.key",
		"front-proxy-ca.crt", "front-proxy-client.crt", "front-proxy-client.key",
		"service-account.key", "service-account.pub",
	}}
}

// newPKI makes two authorities and what they vouch for: one for the API server and its clients, and one for the front
// proxy alone, since whoever holds a certificate of the latter may act as anybody towards an aggregated API server.
func newPKI(now time.Time) (map[string][]byte, error) {
	ca, err := pki.NewAuthority("latchkey-localstack-ca", now)
	if err != nil {
		return nil, err
	}
	frontCA, err := pki.NewAuthority("latchkey-localstack-front-proxy-ca", now)
	if err != nil {
		return nil, err
	}
	server, err := ca.NewServer("kube-apiserver", now,
		[]string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		[]net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback})
	if err != nil {
		return nil, err
	}
	admin, err := ca.NewClient("localstack-admin", now, "system:masters")
	if err != nil {
		return nil, err
	}
	front, err := frontCA.NewClient(frontProxyName, now)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"front-proxy-ca.crt": frontCA.CertificatePEM()}
	for name, pair := range map[string]*pki.Pair{"ca": ca, "apiserver": server, "admin": admin, "front-proxy-client": front} {
		files[name+".crt"] = pair.CertificatePEM()
		if files[name+".key"], err = pair.KeyPEM(); err != nil {
			return nil, err
		}
	}
	files["service-account.key"], files["service-account.pub"], err = pki.NewSigner()
	return files, err
}

func (s *stack) writeAdminKubeconfig() error {
	content := map[string][]byte{}
	for _, name := range []string{"admin.crt", "admin.key"} {
		var err error
		if content[name], err = os.ReadFile(s.pki(name)); err != nil {
			return err
		}
	}
	return s.writeKubeconfig(s.adminKubeconfig(), pki.Credential{Certificate: content["admin.crt"], Key: content["admin.key"]})
}

func (s *stack) writeKubeconfig(path string, user pki.Credential) error {
	ca, err := os.ReadFile(s.pki("ca.crt"))
	if err != nil {
		return err
	}
	content, err := pki.Kubeconfig("latchkey-localstack", s.apiserverURL(), ca, user)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return supervise.WriteFile(path, content)
}
