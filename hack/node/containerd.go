// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// kubernetesImages is containerd's own namespace for what the kubelet sees.
const kubernetesImages = "k8s.io"

// containerdConfig is containerd's configuration, version 2, which both 1.x and 2.x read.
//
// restrict_oom_score_adj: without CAP_SYS_RESOURCE, runc fails where a container is to be less likely to be killed than
// containerd itself ("can't get final child's PID from pipe").
func (n *node) containerdConfig() []byte {
	snapshotter := "native" // copies whole images, and works everywhere
	if n.overlay {
		snapshotter = "overlayfs"
	}
	return fmt.Appendf(nil, `version = 2
root = %q
state = %q
disabled_plugins = [
  "io.containerd.internal.v1.tracing", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = %q

[plugins."io.containerd.internal.v1.opt"]
path = %q

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = %q
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = %q
conf_dir = %q

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = %q

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
Root = %q
`, n.dir("containerd"), n.dir("containerd-state"), n.socket(), n.dir("containerd-opt"), pauseImage, n.cniBin,
		n.dir("network"), snapshotter, n.dir("runc"))
}

func (n *node) containerd() (supervise.Process, error) {
	program, err := exec.LookPath("containerd")
	if err != nil {
		return supervise.Process{}, err
	}
	config := n.config("containerd.toml")
	return supervise.Process{
		Name:  "containerd",
		Argv:  []string{program, "--config", config},
		Files: []string{config, n.dir("network", "10-"+nodeName+".conflist")},
		Enter: inNamespace(),
		Ready: func(ctx context.Context) error {
			_, err := n.ctr(ctx, "version")
			return err
		},
		Patience: time.Minute,
	}, nil
}

// ctrCommand is the command line of ctr for this containerd, without the subcommand.
func (l layout) ctrCommand() []string {
	return []string{"ctr", "--address", l.socket(), "--namespace", kubernetesImages}
}

func (l layout) ctr(ctx context.Context, args ...string) (string, error) {
	return run(ctx, append(l.ctrCommand(), args...)...)
}

// isShim says whether a command line is that of a shim of our containerd. A shim is the parent of a container and
// outlives containerd; it is told the socket of the containerd that it belongs to.
func isShim(argv []string, socket string) bool {
	if len(argv) == 0 || !strings.HasPrefix(filepath.Base(argv[0]), "containerd-shim") {
		return false
	}
	at := slices.Index(argv, "-address")
	return at > 0 && at+1 < len(argv) && argv[at+1] == socket
}

// shims lists the shims of our containerd.
func (l layout) shims() ([]supervise.Record, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var records []supervise.Record
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		state, err := supervise.ReadState(pid)
		if err != nil || state.Ended || !isShim(state.Argv, l.socket()) {
			continue
		}
		records = append(records, supervise.Record{PID: pid, StartTime: state.StartTime, Argv: state.Argv})
	}
	return records, nil
}

// endShims ends the shims of our containerd, whose containers have ended, and removes their sockets, which lie in a
// folder that all shims of the machine share. While containerd runs it does both by itself.
func (l layout) endShims(ctx context.Context) (int, error) {
	sockets, err := filepath.Glob(l.dir("containerd-state", "io.containerd.runtime.v2.task", "*", "*", "address"))
	if err != nil {
		return 0, err
	}
	var errs []error
	shims, err := l.shims()
	errs = append(errs, err)
	for _, shim := range shims {
		_, err := shim.End(ctx)
		errs = append(errs, err)
	}
	for _, file := range sockets {
		address, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		path, isPath := strings.CutPrefix(strings.TrimSpace(string(address)), "unix://")
		if !isPath {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return len(shims), errors.Join(errs...)
}

// sandboxes lists the ids of what containerd runs or ran last.
func (l layout) sandboxes() ([]string, error) {
	folders, err := filepath.Glob(l.dir("containerd-state", "io.containerd.grpc.v1.cri", "sandboxes", "*"))
	ids := make([]string, 0, len(folders))
	for _, folder := range folders {
		ids = append(ids, filepath.Base(folder))
	}
	return ids, err
}
