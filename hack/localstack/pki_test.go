// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
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

func TestEnsurePKI(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		later time.Duration
		spoil func(t *testing.T, l layout)
		want  bool
	}{
		"a set that is there is kept":                     {},
		"a set that is about to expire is replaced":       {later: certificateLifetime - renewBefore, want: true},
		"a set that lacks a file is replaced":             {spoil: func(t *testing.T, l layout) { remove(t, l.pki("admin.key")) }, want: true},
		"a set whose authority is unreadable is replaced": {spoil: func(t *testing.T, l layout) { overwrite(t, l.pki("ca.crt"), "junk") }, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := layout{root: t.TempDir()}
			if made, err := l.ensurePKI(now); err != nil || !made {
				t.Fatalf("first: %t, %v", made, err)
			}
			if test.spoil != nil {
				test.spoil(t, l)
			}
			made, err := l.ensurePKI(now.Add(test.later))
			if err != nil {
				t.Fatal(err)
			}
			if made != test.want {
				t.Errorf("made a new set: %t, want %t", made, test.want)
			}
			entries, err := filepath.Glob(l.pki("*"))
			if err != nil || len(entries) != len(pkiFiles) {
				t.Errorf("%d files, %v; want %d", len(entries), err, len(pkiFiles))
			}
			for _, path := range entries {
				if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v, %v; want mode 0600", path, info.Mode(), err)
				}
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestKubeconfigHoldsOneWayToAuthenticate(t *testing.T) {
	for name, test := range map[string]struct {
		user         credential
		want, absent string
	}{
		"a token":              {credential{Token: "abc"}, "token: abc", "client-key-data"},
		"a client certificate": {credential{Certificate: []byte("c"), Key: []byte("k")}, "client-key-data: aw==", "token"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := kubeconfig("https://127.0.0.1:1", []byte("ca"), test.user)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(got), test.want) || strings.Contains(string(got), test.absent) {
				t.Errorf("want %q and no %q in:\n%s", test.want, test.absent, got)
			}
		})
	}
}
