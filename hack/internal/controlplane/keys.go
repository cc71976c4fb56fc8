// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

const (
	lifetime = 365 * 24 * time.Hour
	// renewBefore is how long before their end all keys are replaced.
	renewBefore = 7 * 24 * time.Hour
)

// Certificate is one that the authority of the cluster issues, in files that begin with File. To Kubernetes, Name is a
// user and Groups are the user's groups; Hosts are the names and addresses of a server.
type Certificate struct {
	File, Name string
	Groups     []string
	Hosts      []string
}

// frontProxy is the API server when it passes a request on. It has an authority of its own: who has a certificate of that
// one may act as anybody towards an aggregated API server.
var frontProxy = Certificate{File: "front-proxy-client", Name: "front-proxy-client"}

// EnsureKeys makes every key and certificate, all at once, unless the last ones are whole and still good for a while.
// It says what it did.
func (p Plane) EnsureKeys(now time.Time) (string, error) {
	if p.keysAreGood(now) {
		return "are there", nil
	}
	files := map[string][]byte{}
	for authority, issued := range map[string][]Certificate{"ca": p.Certificates, "front-proxy-ca": {frontProxy}} {
		if err := issue(files, authority, issued, now); err != nil {
			return "", err
		}
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	if files["service-account.key"], err = keyutil.MarshalPrivateKeyToPEM(signer); err != nil {
		return "", err
	}
	public, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return "", err
	}
	files["service-account.pub"] = pemOf(keyutil.PublicKeyBlockType, public)
	// The file that is looked at comes last, so that an interrupted run is not taken for a whole one.
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(name string) bool { return name == "ca.crt" })
	for _, name := range append(names, "ca.crt") {
		if err := supervise.WriteFile(p.Key(name), files[name]); err != nil {
			return "", err
		}
	}
	return "made", nil
}

func (p Plane) keysAreGood(now time.Time) bool {
	for _, c := range append([]Certificate{frontProxy, {File: "service-account"}}, p.Certificates...) {
		if _, err := os.Stat(p.Key(c.File + ".key")); err != nil {
			return false
		}
	}
	authority, err := certutil.CertsFromFile(p.Key("ca.crt"))
	return err == nil && now.Add(renewBefore).Before(authority[0].NotAfter)
}

// Key is the path of a key or a certificate.
func (p Plane) Key(file string) string { return filepath.Join(p.Dir, "pki", file) }

// issue makes an authority and what it vouches for.
func issue(files map[string][]byte, name string, issued []Certificate, now time.Time) error {
	authority := templateOf(Certificate{Name: name}, now)
	authority.IsCA, authority.BasicConstraintsValid = true, true
	authority.KeyUsage |= x509.KeyUsageCertSign
	authorityKey, err := write(files, name, authority, authority, nil)
	if err != nil {
		return err
	}
	for _, c := range issued {
		template := templateOf(c, now)
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		if c.Hosts != nil {
			template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}
		if _, err := write(files, c.File, template, authority, authorityKey); err != nil {
			return err
		}
	}
	return nil
}

func templateOf(c Certificate, now time.Time) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(rand.Text()[:16])),
		Subject:      pkix.Name{CommonName: c.Name, Organization: c.Groups},
		NotBefore:    now.Add(-time.Hour), // clocks differ
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	for _, host := range c.Hosts {
		if address := net.ParseIP(host); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return template
}

// write makes a key, and a certificate that the issuer signs; without an issuer's key, it is signed by its own.
func write(files map[string][]byte, file string, template, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if issuerKey == nil {
		issuerKey = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", template.Subject.CommonName, err)
	}
	files[file+".crt"] = pemOf(certutil.CertificateBlockType, der)
	files[file+".key"], err = keyutil.MarshalPrivateKeyToPEM(key)
	return key, err
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
