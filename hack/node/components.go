// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"text/template"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/controlplane"
	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// certificates: all servers run on the one node and share one. The clients are named as the roles that Kubernetes binds
// by default expect; the last one is the API server itself, when it calls the kubelet.
var certificates = []controlplane.Certificate{
	{File: "server", Name: nodeName, Hosts: []string{
		"localhost", nodeName, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		"127.0.0.1", nodeAddress, serviceAddress,
	}},
	{File: "admin", Name: "node-admin", Groups: []string{"system:masters"}},
	{File: "kube-controller-manager", Name: "system:kube-controller-manager"},
	{File: "kube-scheduler", Name: "system:kube-scheduler"},
	{File: "kube-proxy", Name: "system:kube-proxy"},
	{File: "kubelet", Name: "system:node:" + nodeName, Groups: []string{"system:nodes"}},
	{File: "kubelet-client", Name: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}},
}

// ensureKeys makes the keys, the certificates, and a kubeconfig for each client.
func (n *node) ensureKeys(context.Context) (string, error) {
	outcome, err := n.plane.EnsureKeys(time.Now())
	if err != nil {
		return "", err
	}
	for _, c := range certificates {
		user, err := n.plane.User(c.File)
		if err != nil {
			return "", err
		}
		if err := n.plane.WriteKubeconfig(n.kubeconfig(c.File), user); err != nil {
			return "", err
		}
	}
	return outcome, nil
}

// apiserver runs with the defaults of a production cluster where there is a choice: Node and RBAC authorization, the
// default admission plugins, the aggregation layer.
func (n *node) apiserver() (supervise.Process, error) {
	return n.plane.APIServer([]string{
		"--bind-address=0.0.0.0", // of the network namespace
		"--secure-port=6443",
		"--advertise-address=" + nodeAddress,
		"--service-cluster-ip-range=" + serviceRange,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--kubelet-preferred-address-types=InternalIP",
	}, "kubelet-client-certificate=kubelet-client.crt", "kubelet-client-key=kubelet-client.key", "kubelet-certificate-authority=ca.crt")
}

// delegating is a component that lets the API server authenticate and authorize its own callers.
func (n *node) delegating(name string, port int, flags []string, keys ...string) supervise.Process {
	keyFlags, files := n.plane.KeyFlags(append(keys, "tls-cert-file=server.crt", "tls-private-key-file=server.key",
		"client-ca-file=ca.crt", "requestheader-client-ca-file=front-proxy-ca.crt")...)
	flags = append(flags, keyFlags...)
	for _, flag := range []string{"kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"} {
		flags = append(flags, "--"+flag+"="+n.kubeconfig(name))
	}
	return n.plane.Process(name, fmt.Sprintf("https://%s:%d/healthz", nodeAddress, port),
		append(flags, "--bind-address="+nodeAddress, "--leader-elect=false"), append(files, n.kubeconfig(name))...)
}

func (n *node) controllerManager() supervise.Process {
	return n.delegating("kube-controller-manager", 10257, []string{
		"--use-service-account-credentials",
		"--kube-api-qps=200", "--kube-api-burst=400", // with the default, it takes seconds to start its controllers
		"--node-monitor-period=1s",                            // how soon a node that became ready loses the taint that keeps pods away
		"--flex-volume-plugin-dir=" + n.dir("volume-plugins"), // it makes the folder
	}, "root-ca-file=ca.crt", "service-account-private-key-file=service-account.key",
		"cluster-signing-cert-file=ca.crt", "cluster-signing-key-file=ca.key")
}

func (n *node) kubelet() supervise.Process {
	return n.plane.Process("kubelet", "https://"+nodeAddress+":10250/healthz", []string{
		"--config=" + n.config("kubelet.yaml"),
		"--kubeconfig=" + n.kubeconfig("kubelet"),
		"--root-dir=" + n.dir("kubelet"),
		"--cert-dir=" + n.dir("kubelet", "pki"),
		"--hostname-override=" + nodeName,
		"--node-ip=" + nodeAddress,
	}, n.config("kubelet.yaml"), n.kubeconfig("kubelet"), n.plane.Key("server.crt"), n.plane.Key("ca.crt"))
}

func (n *node) proxy() supervise.Process {
	return n.plane.Process("kube-proxy", "http://"+nodeAddress+":10256/livez", []string{"--config=" + n.config("kube-proxy.yaml")},
		n.config("kube-proxy.yaml"), n.kubeconfig("kube-proxy"))
}

func (n *node) containerd() (supervise.Process, error) {
	program, err := exec.LookPath("containerd")
	return supervise.Process{
		Name:  "containerd",
		Argv:  []string{program, "--config", n.config("containerd.toml")},
		Files: []string{n.config("containerd.toml"), n.config("network/10-node.conflist")},
		Ready: func(ctx context.Context) error {
			_, err := n.ctr(ctx, "version")
			return err
		},
		Patience: time.Minute,
	}, err
}

// ctrCommand is the command line of ctr for this containerd and the images that the kubelet sees, without the subcommand.
func (n *node) ctrCommand() []string {
	return []string{"ctr", "--address", n.socket(), "--namespace", "k8s.io"}
}

func (n *node) ctr(ctx context.Context, args ...string) (string, error) {
	return run(ctx, append(n.ctrCommand(), args...)...)
}

// configs are the files that the components read, as templates of the node. containerd's is version 2, which both 1.x and
// 2.x read.
//
// Without CAP_SYS_RESOURCE, a process cannot be made less likely to be killed when memory runs out: hence oomScoreAdj, and
// restrict_oom_score_adj, without which runc fails ("can't get final child's PID from pipe"). The kernel's limits of
// connections stay as they are: some are the whole machine's. The disk is shared with everything else, and images are
// imported, not pulled: one that was collected would not come back. A pod gets a pair of devices of its own and a route,
// not a bridge, so that a connection to a Service passes the rules of kube-proxy in both directions whatever br_netfilter
// is set to. Nobody answers names in this cluster; pods find Services by their environment.
var configs = map[string]string{
	"resolv.conf": "# no name servers\n",
	"kubelet.yaml": `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {{.Address}}
tlsCertFile: "{{.Key "server.crt"}}"
tlsPrivateKeyFile: "{{.Key "server.key"}}"
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: "{{.Key "ca.crt"}}"}
authorization: {mode: Webhook}
containerRuntimeEndpoint: "unix://{{.Dir "containerd.sock"}}"
cgroupDriver: cgroupfs
cgroupRoot: /{{.Name}}
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: [none]
oomScoreAdj: 0
evictionHard: {memory.available: 50Mi, nodefs.available: 100Mi}
imageGCHighThresholdPercent: 100
podLogsDir: "{{.Dir "log/pods"}}"
volumePluginDir: "{{.Dir "volume-plugins"}}"
resolvConf: "{{.Dir "config/resolv.conf"}}"
syncFrequency: {{.SyncFrequency}}
logging: {verbosity: 2}
`,
	"kube-proxy.yaml": `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: "{{.Dir "kube-proxy.kubeconfig"}}"}
clusterCIDR: {{.PodRange}}
hostnameOverride: {{.Name}}
healthzBindAddress: {{.Address}}:10256
metricsBindAddress: 127.0.0.1:10249
oomScoreAdj: 0
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`,
	"network/10-node.conflist": `{
  "cniVersion": "1.0.0",
  "name": "{{.Name}}",
  "plugins": [{
    "type": "ptp",
    "ipam": {
      "type": "host-local",
      "dataDir": "{{.Dir "addresses"}}",
      "ranges": [[{"subnet": "{{.PodRange}}"}]],
      "routes": [{"dst": "0.0.0.0/0"}]
    }
  }]
}
`,
	"containerd.toml": `version = 2
root = "{{.Dir "containerd"}}"
state = "{{.Dir "containerd-state"}}"
disabled_plugins = [
  "io.containerd.internal.v1.tracing", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = "{{.Dir "containerd.sock"}}"

[plugins."io.containerd.internal.v1.opt"]
path = "{{.Dir "containerd-opt"}}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{{.PauseImage}}"
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{{.CNI}}"
conf_dir = "{{.Dir "config/network"}}"

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{{.Snapshotter}}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
Root = "{{.Dir "runc"}}"
`,
}

// view is what the templates of configs see.
type view struct {
	node                                     *node
	Name, Address, PodRange, PauseImage, CNI string
	Snapshotter                              string
	SyncFrequency                            time.Duration
}

// Key is the path of a key or a certificate.
func (v view) Key(file string) string { return v.node.plane.Key(file) }

// Dir is a place below bin/node.
func (v view) Dir(path string) string { return v.node.dir(path) }

func (n *node) renderConfigs() (map[string][]byte, error) {
	v := view{
		node: n, Name: nodeName, Address: nodeAddress, PodRange: podRange, PauseImage: pauseImage, CNI: n.cniBin,
		Snapshotter: "native", SyncFrequency: n.syncFrequency, // native copies whole images, and works everywhere
	}
	if n.overlay {
		v.Snapshotter = "overlayfs"
	}
	files := map[string][]byte{}
	for name, text := range configs {
		var out bytes.Buffer
		if err := template.Must(template.New(name).Parse(text)).Execute(&out, v); err != nil {
			return nil, err
		}
		files[n.config(name)] = out.Bytes()
	}
	return files, nil
}

// readiness prints "ready" of a Node that takes pods, and otherwise what keeps it from it.
const readiness = `{{range .status.conditions}}{{if eq .type "Ready"}}{{if eq .status "True"}}ready{{else}}not ready: {{.message}}{{end}}{{end}}{{end}}` +
	`{{range .spec.taints}}, with the taint {{.key}}{{end}}`

// podsCanRun returns nil if a pod that is created now would be admitted and scheduled.
func (n *node) podsCanRun(ctx context.Context) error {
	state, err := run(ctx, n.plane.Assets+"/kubectl", "--kubeconfig", n.kubeconfig("admin"), "--request-timeout", "5s",
		"get", "node", nodeName, "--output", "go-template="+readiness)
	if err != nil {
		return err
	}
	if state != "ready" {
		return fmt.Errorf("the node is %s", state)
	}
	// It comes from kube-controller-manager, and no pod is admitted without it.
	return n.plane.Answers(ctx, n.plane.URL+"/api/v1/namespaces/default/serviceaccounts/default")
}
