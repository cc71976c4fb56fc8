// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

const (
	certificateLifetime = 365 * 24 * time.Hour
	renewBefore         = 7 * 24 * time.Hour
)

// keyPair is a certificate with its key, and issues others if it is an authority.
type keyPair struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// ensurePKI makes every key and certificate of the control plane, all at once, unless the last set is whole and still
// good for a while. It says whether it made a new set.
func (l layout) ensurePKI(now time.Time) (bool, error) {
	if l.pkiIsGood(now) {
		return false, nil
	}
	files, err := newPKI(now)
	if err != nil {
		return false, err
	}
	// The file that is looked at first comes last, so that an interrupted run is not taken for a whole one.
	last := pkiFiles[0]
	for _, name := range append(pkiFiles[1:], last) {
		if err := writeFile(l.pki(name), files[name]); err != nil {
			return false, err
		}
	}
	return true, nil
}

// pkiFiles lists all that newPKI makes.
var pkiFiles = []string{
	"ca.crt", "ca.key", "apiserver.crt", "apiserver.key", "admin.crt", "admin.key",
	"front-proxy-ca.crt", "front-proxy-client.crt", "front-proxy-client.key",
	"service-account.key", "service-account.pub",
}

func (l layout) pkiIsGood(now time.Time) bool {
	for _, name := range pkiFiles {
		if _, err := os.Stat(l.pki(name)); err != nil {
			return false
		}
	}
	content, err := os.ReadFile(l.pki("ca.crt"))
	if err != nil {
		return false
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return false
	}
	ca, err := x509.ParseCertificate(block.Bytes)
	return err == nil && now.Add(renewBefore).Before(ca.NotAfter)
}

// newPKI makes two authorities and what they vouch for: one for the API server and its clients, and one for the front
// proxy alone, since whoever holds a certificate of the latter may act as anybody towards an aggregated API server.
func newPKI(now time.Time) (map[string][]byte, error) {
	ca, err := newKeyPair(nil, certificate("latchkey-localstack-ca", now, authority))
	if err != nil {
		return nil, err
	}
	frontCA, err := newKeyPair(nil, certificate("latchkey-localstack-front-proxy-ca", now, authority))
	if err != nil {
		return nil, err
	}
	server, err := newKeyPair(ca, certificate("kube-apiserver", now, func(t *x509.Certificate) {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		t.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
		t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}))
	if err != nil {
		return nil, err
	}
	admin, err := newKeyPair(ca, certificate("localstack-admin", now, func(t *x509.Certificate) {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		t.Subject.Organization = []string{"system:masters"}
	}))
	if err != nil {
		return nil, err
	}
	front, err := newKeyPair(frontCA, certificate(frontProxyName, now, func(t *x509.Certificate) {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}))
	if err != nil {
		return nil, err
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"ca.crt": ca.certPEM(), "apiserver.crt": server.certPEM(), "admin.crt": admin.certPEM(),
		"front-proxy-ca.crt": frontCA.certPEM(), "front-proxy-client.crt": front.certPEM(),
	}
	for name, key := range map[string]*ecdsa.PrivateKey{
		"ca.key": ca.key, "apiserver.key": server.key, "admin.key": admin.key,
		"front-proxy-client.key": front.key, "service-account.key": signer,
	} {
		if files[name], err = keyPEM(key); err != nil {
			return nil, err
		}
	}
	public, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return nil, err
	}
	files["service-account.pub"] = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	return files, nil
}

func certificate(name string, now time.Time, adjust func(*x509.Certificate)) *x509.Certificate {
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), // clocks differ
		NotAfter:  now.Add(certificateLifetime),
		KeyUsage:  x509.KeyUsageDigitalSignature,
	}
	adjust(template)
	return template
}

func authority(template *x509.Certificate) {
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage |= x509.KeyUsageCertSign
}

// newKeyPair signs the template with the issuer, or with its own key if there is none.
func newKeyPair(issuer *keyPair, template *x509.Certificate) (*keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, err
	}
	parent := &keyPair{certificate: template, key: key}
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
	return &keyPair{certificate: parsed, key: key}, nil
}

func (p *keyPair) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.certificate.Raw})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
