// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pki makes the keys, certificates and kubeconfigs of a control plane for development.
//
// It reads and writes only the files that its caller names, each with mode 0600.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"
)

// Lifetime is how long a certificate is good for; RenewBefore says how long before its end a set is replaced.
const (
	Lifetime    = 365 * 24 * time.Hour
	RenewBefore = 7 * 24 * time.Hour
)

// Pair is a certificate with its key, and issues others if it is an authority.
type Pair struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes an authority that vouches for itself.
func NewAuthority(name string, now time.Time) (*Pair, error) {
	template := newTemplate(name, now)
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage |= x509.KeyUsageCertSign
	return newPair(nil, template)
}

// NewServer makes a pair for a server that is reached by any of these names and addresses.
func (p *Pair) NewServer(name string, now time.Time, names []string, addresses []net.IP) (*Pair, error) {
	template := newTemplate(name, now)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.DNSNames, template.IPAddresses = names, addresses
	return newPair(p, template)
}

// NewClient makes a pair for a client: to Kubernetes, the name is a user and the organizations are the user's groups.
func (p *Pair) NewClient(name string, now time.Time, groups ...string) (*Pair, error) {
	template := newTemplate(name, now)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	template.Subject.Organization = groups
	return newPair(p, template)
}

func newTemplate(name string, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		Subject:   pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), // clocks differ
		NotAfter:  now.Add(Lifetime),
		KeyUsage:  x509.KeyUsageDigitalSignature,
	}
}

// newPair signs the template with the issuer, or with its own key if there is none.
func newPair(issuer *Pair, template *x509.Certificate) (*Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, err
	}
	parent := &Pair{certificate: template, key: key}
	if issuer != nil {
		parent = issuer
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.certificate, key.Public(), parent.key)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", template.Subject.CommonName, err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &Pair{certificate: parsed, key: key}, nil
}

// CertificatePEM is the certificate as PEM.
func (p *Pair) CertificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.certificate.Raw})
}

// KeyPEM is the private key as PEM.
func (p *Pair) KeyPEM() ([]byte, error) { return privatePEM(p.key) }

// NewSigner makes a key pair without a certificate, for service account tokens: the private and the public half as PEM.
func NewSigner() (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, err
	}
	private, err = privatePEM(key)
	return private, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}

func privatePEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// NewHTTPClient makes a client that trusts one authority and shows one certificate, all read from files.
func NewHTTPClient(caFile, certificateFile, keyFile string) (*http.Client, error) {
	certificate, err := tls.LoadX509KeyPair(certificateFile, keyFile)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("no certificate in " + caFile)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{certificate},
	}}}, nil
}
