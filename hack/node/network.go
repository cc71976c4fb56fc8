// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// All addresses are from the block that is set aside for benchmarks (RFC 2544, RFC 6890). The usual ranges of a cluster
// would hide the Services of a cluster that this machine itself is part of, since the routes to pods and Services exist
// on the host too.
const (
	addressBlock   = "198.18.0.0/15"
	hostAddress    = "198.18.0.1"
	nodeAddress    = "198.18.0.2"
	linkPrefix     = "/30"
	podRange       = "198.18.64.0/24"
	serviceRange   = "198.18.128.0/20"
	serviceAddress = "198.18.128.1" // of the Service "kubernetes"
)

// namespaceFolder is where ip keeps the names of network namespaces.
const namespaceFolder = "/run/netns"

const namespacePath = namespaceFolder + "/" + nodeName

// networkCommands make the network namespace, a pair of devices that joins it to the host, and routes, so that
// everything in the cluster is reached from the host as well: the API server, pods and Services.
func networkCommands() [][]string {
	commands := [][]string{
		{"ip", "netns", "add", nodeName},
		{"ip", "link", "add", nodeName, "type", "veth", "peer", "name", "eth0", "netns", nodeName},
		{"ip", "address", "add", hostAddress + linkPrefix, "dev", nodeName},
		{"ip", "link", "set", nodeName, "up"},
		{"ip", "-n", nodeName, "link", "set", "lo", "up"},
		{"ip", "-n", nodeName, "address", "add", nodeAddress + linkPrefix, "dev", "eth0"},
		{"ip", "-n", nodeName, "link", "set", "eth0", "up"},
		{"ip", "-n", nodeName, "route", "add", "default", "via", hostAddress},
		{"ip", "route", "add", podRange, "via", nodeAddress},
		{"ip", "route", "add", serviceRange, "via", nodeAddress},
	}
	return append(commands, []string{"nsenter", "--net=" + namespacePath, "--", "busybox", "sysctl", "-w", "net.ipv4.ip_forward=1"})
}

// upNetwork makes the network unless it is there.
func (n *node) upNetwork(ctx context.Context, m *machine) (string, error) {
	if m.Network && namespaceExists() {
		return "is there", nil
	}
	if err := removeNetwork(ctx); err != nil { // what an interrupted command left
		return "", err
	}
	for _, command := range networkCommands() {
		if _, err := run(ctx, command...); err != nil {
			return "", err
		}
	}
	m.Network = true
	return "made", n.saveMachine(*m)
}

func namespaceExists() bool {
	_, err := os.Stat(namespacePath)
	return err == nil
}

// removeNetwork deletes the namespace and, with it, the pair of devices and the routes through it.
func removeNetwork(ctx context.Context) error {
	if namespaceExists() {
		if _, err := run(ctx, "ip", "netns", "delete", nodeName); err != nil {
			return err
		}
	}
	// The kernel takes its time to remove devices with their namespace.
	if _, err := net.InterfaceByName(nodeName); err == nil {
		if _, err := run(ctx, "ip", "link", "delete", nodeName); err != nil && !strings.Contains(err.Error(), "Cannot find device") {
			return err
		}
	}
	return nil
}

// checkAddresses says which of the host's addresses collide with the cluster's.
func checkAddresses(addresses []netip.Prefix) error {
	block := netip.MustParsePrefix(addressBlock)
	var errs []error
	for _, address := range addresses {
		if address.Masked().Overlaps(block) {
			errs = append(errs, fmt.Errorf("this machine has the address %s, and the cluster's are in %s", address, block))
		}
	}
	return errors.Join(errs...)
}

// hostAddresses lists the addresses of the host's devices without the one that is joined to the cluster.
func hostAddresses() ([]netip.Prefix, error) {
	devices, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var addresses []netip.Prefix
	for _, device := range devices {
		if device.Name == nodeName {
			continue
		}
		list, err := device.Addrs()
		if err != nil {
			continue // the device is gone
		}
		for _, address := range list {
			if prefix, err := netip.ParsePrefix(address.String()); err == nil {
				addresses = append(addresses, prefix)
			}
		}
	}
	return addresses, nil
}

// cniResults lists what the network plugins' library remembers of our pods, in a folder that it shares among all
// runtimes of the machine.
func cniResults(sandboxes []string) ([]string, error) {
	const folder = "/var/lib/cni/results"
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var paths []string
	for _, entry := range entries {
		// NETWORK-SANDBOX-DEVICE
		ours := strings.HasPrefix(entry.Name(), nodeName+"-")
		for _, sandbox := range sandboxes {
			ours = ours || strings.Contains(entry.Name(), "-"+filepath.Base(sandbox)+"-")
		}
		if ours {
			paths = append(paths, filepath.Join(folder, entry.Name()))
		}
	}
	return paths, nil
}
