// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"sigs.k8s.io/yaml"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// kubeletConfig is the kubelet's configuration. syncFrequency is how often it looks at a pod in which nothing happens,
// and so how soon a changed Secret appears in a volume.
func (l layout) kubeletConfig(syncFrequency time.Duration) ([]byte, error) {
	return yaml.Marshal(map[string]any{
		"apiVersion":  "kubelet.config.k8s.io/v1beta1",
		"kind":        "KubeletConfiguration",
		"address":     nodeAddress,
		"tlsCertFile": l.pki("server.crt"),
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
			"x509":      map[string]any{"clientCAFile": l.pki("ca.crt")},
		},
		"authorization":            map[string]any{"mode": "Webhook"},
		"tlsPrivateKeyFile":        l.pki("server.key"),
		"containerRuntimeEndpoint": "unix://" + l.socket(),
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               "/" + nodeName,
		"failCgroupV1":             false,
		"failSwapOn":               false,
		"enforceNodeAllocatable":   []string{"none"},
		// Without CAP_SYS_RESOURCE, a process cannot be made less likely to be killed when memory runs out.
		"oomScoreAdj": 0,
		// The disk is shared with everything else on this machine, and images are imported, not pulled: one that was
		// collected would not come back.
		"evictionHard":                map[string]any{"memory.available": "50Mi", "nodefs.available": "100Mi"},
		"imageGCHighThresholdPercent": 100,
		"podLogsDir":                  l.podLogs(),
		"volumePluginDir":             l.dir("volume-plugins"),
		"resolvConf":                  l.config("resolv.conf"),
		"syncFrequency":               syncFrequency.String(),
		"logging":                     map[string]any{"verbosity": 2},
	})
}

func (n *node) kubelet() supervise.Process {
	return n.process("kubelet", "https://"+nodeAddress+":10250/healthz", []string{
		n.asset("kubelet"),
		"--config=" + n.config("kubelet.yaml"),
		"--kubeconfig=" + n.kubeconfig("kubelet"),
		"--root-dir=" + n.dir("kubelet"),
		"--cert-dir=" + n.dir("kubelet", "pki"),
		"--hostname-override=" + nodeName,
		"--node-ip=" + nodeAddress,
	}, n.config("kubelet.yaml"), n.kubeconfig("kubelet"), n.pki("server.crt"), n.pki("ca.crt"))
}

func (l layout) proxyConfig() ([]byte, error) {
	return yaml.Marshal(map[string]any{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"mode":               "nftables",
		"clientConnection":   map[string]any{"kubeconfig": l.kubeconfig("kube-proxy")},
		"clusterCIDR":        podRange,
		"hostnameOverride":   nodeName,
		"healthzBindAddress": nodeAddress + ":10256",
		"metricsBindAddress": "127.0.0.1:10249",
		"oomScoreAdj":        0,
		// The kernel's limits stay as they are: some are the whole machine's.
		"conntrack": map[string]any{
			"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s",
		},
	})
}

func (n *node) proxy() supervise.Process {
	return n.process("kube-proxy", "http://"+nodeAddress+":10256/livez",
		[]string{n.asset("kube-proxy"), "--config=" + n.config("kube-proxy.yaml")},
		n.config("kube-proxy.yaml"), n.kubeconfig("kube-proxy"))
}
