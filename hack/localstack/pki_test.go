// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"
)

func TestPKI(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	files, err := newPKI(now)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		file, authority string
		usage           x509.ExtKeyUsage
		dnsName         string
		wantErr         bool
	}{
		"the API server is trusted by its clients":                      {file: "apiserver", authority: "ca", usage: x509.ExtKeyUsageServerAuth, dnsName: "127.0.0.1"},
		"the administrator is trusted by the API server":                {file: "admin", authority: "ca", usage: x509.ExtKeyUsageClientAuth},
		"the front proxy is trusted by an aggregated server":            {file: "front-proxy-client", authority: "front-proxy-ca", usage: x509.ExtKeyUsageClientAuth},
		"the administrator cannot pose as the front proxy":              {file: "admin", authority: "front-proxy-ca", usage: x509.ExtKeyUsageClientAuth, wantErr: true},
		"the front proxy's certificate does not open the API server":    {file: "front-proxy-client", authority: "ca", usage: x509.ExtKeyUsageClientAuth, wantErr: true},
		"the administrator's certificate is none of a server":           {file: "admin", authority: "ca", usage: x509.ExtKeyUsageServerAuth, wantErr: true},
		"the API server's certificate is for this machine and no other": {file: "apiserver", authority: "ca", usage: x509.ExtKeyUsageServerAuth, dnsName: "192.0.2.1", wantErr: true},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := tls.X509KeyPair(files[test.file+".crt"], files[test.file+".key"]); err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(files[test.authority+".crt"])
			block, _ := pem.Decode(files[test.file+".crt"])
			leaf, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			_, err = leaf.Verify(x509.VerifyOptions{
				Roots: roots, CurrentTime: now, DNSName: test.dnsName, KeyUsages: []x509.ExtKeyUsage{test.usage},
			})
			if (err != nil) != test.wantErr {
				t.Errorf("error %v, want one: %t", err, test.wantErr)
			}
		})
	}
}

func TestNewPKIMakesEveryFileOfTheSet(t *testing.T) {
	keys := layout{root: t.TempDir()}.keys()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, want := range []bool{true, false} {
		if made, err := keys.Ensure(now); err != nil || made != want {
			t.Errorf("made %t, %v; want %t", made, err, want)
		}
	}
}
