// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// frontProxyName is the API server's name when it passes requests on.
const frontProxyName = "front-proxy-client"

// configureAggregation makes the API server pass requests on to aggregated servers, with
// a proof of its identity.
func configureAggregation(server *envtest.APIServer, dir string) error {
	if err := writeClient(dir, "front-proxy", frontProxyName); err != nil {
		return err
	}
	server.Configure().
		Set("proxy-client-cert-file", filepath.Join(dir, "front-proxy.crt")).
		Set("proxy-client-key-file", filepath.Join(dir, "front-proxy.key")).
		Set("requestheader-client-ca-file", filepath.Join(dir, "front-proxy-ca.crt")).
		Set("requestheader-allowed-names", frontProxyName).
		Set("requestheader-username-headers", "X-Remote-User").
		Set("requestheader-uid-headers", "X-Remote-Uid").
		Set("requestheader-group-headers", "X-Remote-Group").
		Set("requestheader-extra-headers-prefix", "X-Remote-Extra-")
	return nil
}

// webhookClient names the files of the certificate that the API server presents to
// webhooks.
const webhookClient = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
  - name: MutatingAdmissionWebhook
    configuration:
      apiVersion: apiserver.config.k8s.io/v1
      kind: WebhookAdmissionConfiguration
      kubeConfigFile: %s
`

const webhookClientKubeconfig = `apiVersion: v1
kind: Config
users:
  - name: "*"
    user:
      client-certificate: webhook-client.crt
      client-key: webhook-client.key
`

// configureWebhookClient makes the API server present a certificate to webhooks that
// ask for one.
func configureWebhookClient(server *envtest.APIServer, dir string) error {
	if err := writeClient(dir, "webhook-client", "kube-apiserver"); err != nil {
		return err
	}
	kubeconfig := filepath.Join(dir, "webhook-client.kubeconfig")
	for name, content := range map[string]string{
		"webhook-client.yaml": fmt.Sprintf(webhookClient, kubeconfig), "webhook-client.kubeconfig": webhookClientKubeconfig,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	server.Configure().Set("admission-control-config-file", filepath.Join(dir, "webhook-client.yaml"))
	return nil
}

// WebhookClientCA returns the file with the CA of the certificate that the API server
// presents to webhooks that ask for one.
func (c *Cluster) WebhookClientCA() string { return filepath.Join(c.Dir, "webhook-client-ca.crt") }

// WebhookClient returns the certificate that the API server presents to webhooks.
func (c *Cluster) WebhookClient() (tls.Certificate, error) {
	return tls.LoadX509KeyPair(filepath.Join(c.Dir, "webhook-client.crt"), filepath.Join(c.Dir, "webhook-client.key"))
}

// writeClient writes a client's certificate and key, and the certificate of the CA that
// signed it, into files that begin with prefix.
func writeClient(dir, prefix, name string) error {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authority := certificateOf(prefix + "-ca")
	authority.IsCA, authority.BasicConstraintsValid = true, true
	authority.KeyUsage |= x509.KeyUsageCertSign
	files := map[string][]byte{}
	if files["-ca.crt"], err = sign(authority, authority, &authorityKey.PublicKey, authorityKey); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	client := certificateOf(name)
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if files[".crt"], err = sign(client, authority, &key.PublicKey, authorityKey); err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	files[".key"] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for ending, content := range files {
		if err := os.WriteFile(filepath.Join(dir, prefix+ending), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func certificateOf(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

func sign(template, parent *x509.Certificate, key *ecdsa.PublicKey, signer *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", template.Subject.CommonName, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
