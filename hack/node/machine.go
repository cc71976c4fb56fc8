// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// kernelSettings are what the kubelet sets for the whole machine.
var kernelSettings = []string{
	"kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys", "kernel/panic", "kernel/panic_on_oops",
	"vm/overcommit_memory", "vm/panic_on_oom",
}

// kubeletFolder is where the kubelet opens the socket for device plugins, whatever its root is.
const kubeletFolder = "/var/lib/kubelet"

// sharedFolders are the places outside of bin/node that programs use without being asked.
var sharedFolders = []string{
	kubeletFolder, "/var/log/containers", "/var/lib/cni/results", "/var/lib/cni", "/run/containerd/s", "/run/containerd",
	namespaceFolder,
}

// machine is what is remembered of the machine before the node was there. Its file says that the network namespace, the
// cgroups and the containers of that name belong to this source tree.
type machine struct {
	Settings map[string]string `json:"settings"` // kernel settings
	Missing  []string          `json:"missing"`  // of the shared folders
	Network  bool              `json:"network"`  // the network is whole
}

func (n *node) machineFile() string { return n.dir("machine.json") }

// loadMachine reads what is remembered, and reports whether there is anything.
func (n *node) loadMachine() (machine, bool, error) {
	var m machine
	content, err := os.ReadFile(n.machineFile())
	if errors.Is(err, fs.ErrNotExist) {
		return m, false, nil
	}
	if err != nil {
		return m, false, err
	}
	if err := json.Unmarshal(content, &m); err != nil {
		return m, false, fmt.Errorf("%s: %w", n.machineFile(), err)
	}
	return m, true, nil
}

func (n *node) saveMachine(m machine) error {
	content, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return supervise.WriteFile(n.machineFile(), append(content, '\n'))
}

// lookAtMachine notes how the machine is now.
func lookAtMachine(settingsFolder string, folders []string) (machine, error) {
	m := machine{Settings: map[string]string{}}
	for _, setting := range kernelSettings {
		value, err := os.ReadFile(filepath.Join(settingsFolder, setting))
		if err != nil {
			return m, err
		}
		m.Settings[setting] = strings.TrimSpace(string(value))
	}
	for _, folder := range folders {
		if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
			m.Missing = append(m.Missing, folder)
		}
	}
	return m, nil
}

// restore puts the kernel settings and the shared folders back, once nothing of the node runs any more.
func (m machine) restore(ctx context.Context, settingsFolder string) error {
	var errs []error
	for setting, value := range m.Settings {
		path := filepath.Join(settingsFolder, setting)
		if now, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(now)) == value {
			continue
		}
		errs = append(errs, os.WriteFile(path, []byte(value+"\n"), 0o644))
	}
	if slices.Contains(m.Missing, namespaceFolder) {
		errs = append(errs, removeNamespaceFolder(ctx))
	}
	for _, folder := range m.Missing {
		if folder == kubeletFolder {
			errs = append(errs, os.RemoveAll(folder))
			continue
		}
		_ = os.Remove(folder) // unless it holds something by now
	}
	return errors.Join(errs...)
}

// removeNamespaceFolder removes what `ip netns add` made: a folder that is mounted on itself.
func removeNamespaceFolder(ctx context.Context) error {
	entries, err := os.ReadDir(namespaceFolder)
	if err != nil || len(entries) > 0 {
		return nil // gone, or in use by others by now
	}
	points, err := mountsBelow(filepath.Dir(namespaceFolder))
	if err == nil && slices.Contains(points, namespaceFolder) {
		_, err = run(ctx, "umount", namespaceFolder)
	}
	return err
}
