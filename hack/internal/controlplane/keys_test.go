// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd/api"
	certutil "k8s.io/client-go/util/cert"
)

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func newPlane(t *testing.T) Plane {
	t.Helper()
	return Plane{Name: "test", Dir: t.TempDir(), URL: "https://127.0.0.1:1", Server: "server", Certificates: []Certificate{
		{File: "server", Name: "kube-apiserver", Hosts: []string{"localhost", "127.0.0.1"}},
		{File: "admin", Name: "someone", Groups: []string{"system:masters"}},
	}}
}

func ensured(t *testing.T, p Plane, at time.Time, want string) {
	t.Helper()
	if got, err := p.EnsureKeys(at); err != nil || got != want {
		t.Errorf("keys at %s: %q, %v; want %q", at, got, err, want)
	}
}

func TestEnsureKeys_EachCertificate_IsForItsPurposeAlone(t *testing.T) {
	p := newPlane(t)
	ensured(t, p, now, "made")
	for name, tt := range map[string]struct {
		file, authority string
		usage           x509.ExtKeyUsage
		host            string
		refused         bool
	}{
		"the API server is trusted by its clients":                      {file: "server", authority: "ca", usage: x509.ExtKeyUsageServerAuth, host: "127.0.0.1"},
		"it is by name, too":                                            {file: "server", authority: "ca", usage: x509.ExtKeyUsageServerAuth, host: "localhost"},
		"the administrator is trusted by the API server":                {file: "admin", authority: "ca", usage: x509.ExtKeyUsageClientAuth},
		"the front proxy is trusted by an aggregated server":            {file: "front-proxy-client", authority: "front-proxy-ca", usage: x509.ExtKeyUsageClientAuth},
		"the administrator cannot pose as the front proxy":              {file: "admin", authority: "front-proxy-ca", usage: x509.ExtKeyUsageClientAuth, refused: true},
		"the front proxy's certificate does not open the API server":    {file: "front-proxy-client", authority: "ca", usage: x509.ExtKeyUsageClientAuth, refused: true},
		"the administrator's certificate is none of a server":           {file: "admin", authority: "ca", usage: x509.ExtKeyUsageServerAuth, refused: true},
		"the API server's certificate is for this machine and no other": {file: "server", authority: "ca", usage: x509.ExtKeyUsageServerAuth, host: "192.0.2.1", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			pair, err := tls.LoadX509KeyPair(p.Key(tt.file+".crt"), p.Key(tt.file+".key"))
			if err != nil {
				t.Fatal(err)
			}
			roots, err := certutil.NewPool(p.Key(tt.authority + ".crt"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, DNSName: tt.host, KeyUsages: []x509.ExtKeyUsage{tt.usage}})
			if (err != nil) != tt.refused {
				t.Errorf("error %v, want one: %t", err, tt.refused)
			}
		})
	}
	admin, err := certutil.CertsFromFile(p.Key("admin.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if subject := admin[0].Subject; subject.CommonName != "someone" || !cmp.Equal(subject.Organization, []string{"system:masters"}) {
		t.Errorf("the administrator is %s", subject)
	}
}

func TestEnsureKeys_KeysThatAreThere_StayWhileTheyAreWholeAndGood(t *testing.T) {
	p := newPlane(t)
	ensured(t, p, now, "made")
	ensured(t, p, now.Add(lifetime-renewBefore-time.Second), "are there")
	ensured(t, p, now.Add(lifetime-renewBefore), "made")
	if err := os.Remove(p.Key("admin.key")); err != nil {
		t.Fatal(err)
	}
	ensured(t, p, now, "made")
	p.Certificates = append(p.Certificates, Certificate{File: "new", Name: "new"})
	ensured(t, p, now, "made")
	for _, name := range []string{"ca.crt", "admin.key", "service-account.key"} {
		if info, err := os.Stat(p.Key(name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestWriteKubeconfig_HoldsOneWayToAuthenticate(t *testing.T) {
	p := newPlane(t)
	ensured(t, p, now, "made")
	admin, err := p.User("admin")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		user         *api.AuthInfo
		want, absent string
	}{
		"a token":              {&api.AuthInfo{Token: "abc"}, "token: abc", "client-key-data"},
		"a client certificate": {admin, "client-key-data: ", "token"},
	} {
		t.Run(name, func(t *testing.T) {
			path := p.Key("kubeconfig")
			if err := p.WriteKubeconfig(path, tt.user); err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(content), tt.want) || strings.Contains(string(content), tt.absent) {
				t.Errorf("%v: want %q and no %q", err, tt.want, tt.absent)
			}
		})
	}
}
