// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func TestTheHostHasNoAddressOfTheCluster(t *testing.T) {
	for name, test := range map[string]struct {
		addresses []string
		wantErr   bool
	}{
		"other addresses do not matter":                {addresses: []string{"127.0.0.1/8", "192.0.2.2/24", "fd00::2/64", "198.17.255.255/32"}},
		"an address inside is refused":                 {addresses: []string{"192.0.2.2/24", "198.19.0.7/32"}, wantErr: true},
		"a network around the whole of it is refused":  {addresses: []string{"198.1.2.3/8"}, wantErr: true},
		"an IPv6 address that maps one has no meaning": {addresses: []string{"::ffff:198.18.0.1/128"}},
	} {
		t.Run(name, func(t *testing.T) {
			var prefixes []netip.Prefix
			for _, address := range test.addresses {
				prefixes = append(prefixes, netip.MustParsePrefix(address))
			}
			if err := checkAddresses(prefixes); (err != nil) != test.wantErr {
				t.Errorf("error %v, want one: %t", err, test.wantErr)
			}
		})
	}
}

func TestAllRangesAreInTheBlockAndApart(t *testing.T) {
	block := netip.MustParsePrefix(addressBlock)
	ranges := map[string]netip.Prefix{
		"link": netip.MustParsePrefix(hostAddress + linkPrefix), "pods": netip.MustParsePrefix(podRange),
		"services": netip.MustParsePrefix(serviceRange),
	}
	for a, inner := range ranges {
		if !block.Contains(inner.Addr()) || inner.Bits() < block.Bits() {
			t.Errorf("%s: %s is not in %s", a, inner, block)
		}
		for b, other := range ranges {
			if a != b && inner.Overlaps(other) {
				t.Errorf("%s %s and %s %s overlap", a, inner, b, other)
			}
		}
	}
	if !ranges["link"].Contains(netip.MustParseAddr(nodeAddress)) {
		t.Errorf("the node's address %s is not on the link %s", nodeAddress, ranges["link"])
	}
	if first := ranges["services"].Addr().Next(); first.String() != serviceAddress {
		t.Errorf("the Service kubernetes gets %s, want %s", first, serviceAddress)
	}
}

func TestMissingPackages(t *testing.T) {
	for name, test := range map[string]struct {
		programs []string // that are not there
		cni      string   // the folder that has the network plugins
		want     []string
	}{
		"nothing is missing":                               {cni: "/usr/lib/cni"},
		"the plugins may lie in the other folder":          {cni: "/opt/cni/bin"},
		"a package is named once, whatever it lacks":       {programs: []string{"ctr", "containerd"}, cni: "/usr/lib/cni", want: []string{"containerd"}},
		"the plugins have a package of their own":          {want: []string{"containernetworking-plugins"}},
		"packages are named by package and not by program": {programs: []string{"nft", "busybox"}, cni: "/opt/cni/bin", want: []string{"busybox-static", "nftables"}},
	} {
		t.Run(name, func(t *testing.T) {
			lookPath := func(program string) (string, error) {
				for _, missing := range test.programs {
					if missing == program {
						return "", exec.ErrNotFound
					}
				}
				return "/bin/" + program, nil
			}
			stat := func(path string) error {
				if filepath.Dir(path) == test.cni {
					return nil
				}
				return fs.ErrNotExist
			}
			if diff := cmp.Diff(test.want, missingPackages(lookPath, stat)); diff != "" {
				t.Errorf("packages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAShimIsOursByItsSocket(t *testing.T) {
	for name, test := range map[string]struct {
		argv []string
		want bool
	}{
		"ours":                         {[]string{"/usr/bin/containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", "a", "-address", "/src/containerd.sock"}, true},
		"of another containerd":        {[]string{"/usr/bin/containerd-shim-runc-v2", "-address", "/run/containerd/containerd.sock"}, false},
		"another program that says so": {[]string{"ctr", "-address", "/src/containerd.sock"}, false},
		"a flag without its value":     {[]string{"containerd-shim-runc-v2", "-address"}, false},
		"no command line":              {nil, false},
	} {
		if got := isShim(test.argv, "/src/containerd.sock"); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}

func TestControlPlaneEndsNothingBeforeWhatNeedsIt(t *testing.T) {
	got := controlPlane([]string{"containerd", "etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kubelet"})
	want := []string{"kube-controller-manager", "kube-proxy", "kube-apiserver", "etcd"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestANodeIsReadyWhenItSaysSoAndHasNoTaint(t *testing.T) {
	for name, test := range map[string]struct {
		node    string
		wantErr string // nothing: it is ready
	}{
		"ready":             {node: `{"status":{"conditions":[{"type":"PIDPressure","status":"False"},{"type":"Ready","status":"True"}]}}`},
		"tainted":           {node: `{"spec":{"taints":[{"key":"not-ready"}]},"status":{"conditions":[{"type":"Ready","status":"True"}]}}`, wantErr: "the taint not-ready"},
		"not ready":         {node: `{"status":{"conditions":[{"type":"Ready","status":"False","message":"no network"}]}}`, wantErr: "no network"},
		"nothing known yet": {node: `{}`, wantErr: "has not said yet"},
	} {
		t.Run(name, func(t *testing.T) {
			var state nodeState
			if err := json.Unmarshal([]byte(test.node), &state); err != nil {
				t.Fatal(err)
			}
			err := state.ready()
			if (err == nil) != (test.wantErr == "") || (err != nil && !strings.Contains(err.Error(), test.wantErr)) {
				t.Errorf("error %v, want %q", err, test.wantErr)
			}
		})
	}
}

func TestEveryClientHasTheCertificateThatItsRoleNeeds(t *testing.T) {
	keys := layout{root: t.TempDir()}.keys()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	if made, err := keys.Ensure(now); err != nil || !made {
		t.Fatalf("made %t, %v", made, err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate(t, filepath.Join(keys.Dir, "ca.crt")))
	for _, c := range clients {
		leaf := certificate(t, filepath.Join(keys.Dir, c.file+".crt"))
		if _, err := leaf.Verify(x509.VerifyOptions{
			Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}); err != nil {
			t.Errorf("%s: %v", c.file, err)
		}
		if leaf.Subject.CommonName != c.user || !cmp.Equal(leaf.Subject.Organization, c.groups) {
			t.Errorf("%s is %s, want the user %s and the groups %v", c.file, leaf.Subject, c.user, c.groups)
		}
	}
	server := certificate(t, filepath.Join(keys.Dir, "server.crt"))
	for _, host := range []string{nodeAddress, serviceAddress, "kubernetes.default.svc", nodeName} {
		if _, err := server.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, DNSName: host}); err != nil {
			t.Errorf("server as %s: %v", host, err)
		}
	}
}

func certificate(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(content)
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestConfigurationsNameOnlyPlacesOfOurOwn(t *testing.T) {
	n, err := openNode("/src", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	n.cniBin, n.overlay = "/usr/lib/cni", true
	kubelet, err := n.kubeletConfig(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var parsed map[string]any
	if err := yaml.UnmarshalStrict(kubelet, &parsed); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]any{
		"syncFrequency": "5s", "cgroupRoot": "/" + nodeName, "failCgroupV1": false,
		"containerRuntimeEndpoint": "unix:///src/bin/node/containerd.sock", "podLogsDir": "/src/bin/node/log/pods",
	} {
		if diff := cmp.Diff(want, parsed[field]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", field, diff)
		}
	}
	config := string(n.containerdConfig())
	for _, want := range []string{
		`root = "/src/bin/node/containerd"`, `state = "/src/bin/node/containerd-state"`, `Root = "/src/bin/node/runc"`,
		`bin_dir = "/usr/lib/cni"`, `snapshotter = "overlayfs"`, `restrict_oom_score_adj = true`,
	} {
		if !strings.Contains(config, want) {
			t.Errorf("containerd's configuration lacks %s:\n%s", want, config)
		}
	}
	for _, absent := range []string{"/var/lib", "/run/", "/opt", "/etc"} {
		if strings.Contains(config, `"`+absent) {
			t.Errorf("containerd's configuration uses %s:\n%s", absent, config)
		}
	}
}
