// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

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

func TestIsShim_OfOurContainerd_ByItsSocket(t *testing.T) {
	for name, tt := range map[string]struct {
		argv []string
		want bool
	}{
		"ours":                         {[]string{"/usr/bin/containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", "a", "-address", "/src/containerd.sock"}, true},
		"of another containerd":        {[]string{"/usr/bin/containerd-shim-runc-v2", "-address", "/run/containerd/containerd.sock"}, false},
		"of one beside ours":           {[]string{"/usr/bin/containerd-shim-runc-v2", "-address", "/src/containerd.sock2"}, false},
		"another program that says so": {[]string{"ctr", "-address", "/src/containerd.sock"}, false},
		"a flag without its value":     {[]string{"containerd-shim-runc-v2", "-address"}, false},
		"no command line":              {nil, false},
	} {
		if got := isShim(strings.Join(tt.argv, "\x00")+"\x00", "/src/containerd.sock"); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
}

func TestRenderConfigs_NameOnlyPlacesOfOurOwn(t *testing.T) {
	n := newNode("/src", 5*time.Second)
	n.cniBin, n.overlay = "/usr/lib/cni", true
	files, err := n.renderConfigs()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kubelet.yaml", "kube-proxy.yaml", "network/10-node.conflist"} {
		var parsed map[string]any
		if err := yaml.UnmarshalStrict(files[n.config(name)], &parsed); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, wants := range map[string][]string{
		"kubelet.yaml": {
			"syncFrequency: 5s\n", "cgroupRoot: /" + nodeName + "\n", `containerRuntimeEndpoint: "unix:///src/bin/node/containerd.sock"`,
			`podLogsDir: "/src/bin/node/log/pods"`,
		},
		"containerd.toml": {
			`root = "/src/bin/node/containerd"`, `state = "/src/bin/node/containerd-state"`, `Root = "/src/bin/node/runc"`,
			`bin_dir = "/usr/lib/cni"`, `snapshotter = "overlayfs"`, `restrict_oom_score_adj = true`,
		},
	} {
		for _, want := range wants {
			if !strings.Contains(string(files[n.config(name)]), want) {
				t.Errorf("%s lacks %s:\n%s", name, want, files[n.config(name)])
			}
		}
	}
	for name, content := range files {
		for _, absent := range []string{"/var/lib", "/run/", "/opt", "/etc"} {
			if strings.Contains(string(content), `"`+absent) {
				t.Errorf("%s uses %s:\n%s", name, absent, content)
			}
		}
	}
}
