// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

const (
	loopback = "127.0.0.1"
	// The range lies below the one from which Linux takes the ports of outgoing connections, so that a remembered port
	// is still free when its process comes back. A stack has a block of it.
	firstPort, lastPort, block = 20000, 30000, 50
	maxReplicas                = 9
)

// ports are the numbers of one stack's ports: the first one of its block, from which all others follow; 0 before it has
// one. They survive a restart, since they are in each other's arguments.
type ports int

// purposes are what ports are for, in the order of their numbers.
var purposes = func() []string {
	list := []string{
		"etcd client", "etcd peer", "kube-apiserver secure", "controller metrics", "controller health",
		"balancer webhook", "balancer rest",
	}
	for i := range maxReplicas {
		for _, purpose := range []string{"webhook", "rest", "metrics", "health"} {
			list = append(list, serverName(i)+" "+purpose)
		}
	}
	return list
}()

func loadPorts(path string) (ports, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	first, err := strconv.Atoi(string(content))
	return ports(first), err
}

// claimPorts settles every port before the first process starts. A remembered block is given up only where nothing of
// the stack runs and something else took one of its ports.
func claimPorts(path string, old ports, running bool, free func(int) bool) (ports, error) {
	if old != 0 && (running || old.areFree(free)) {
		return old, nil
	}
	// Each source tree begins at a place of its own, so that two stacks that start at once do not race for one block.
	place := fnv.New32a()
	_, _ = place.Write([]byte(path))
	const blocks = (lastPort - firstPort) / block
	for i := range blocks {
		p := ports(firstPort + (int(place.Sum32()%blocks)+i)%blocks*block)
		if p.areFree(free) {
			return p, supervise.WriteFile(path, []byte(strconv.Itoa(int(p))))
		}
	}
	return 0, fmt.Errorf("no %d ports in a row are free between %d and %d", block, firstPort, lastPort)
}

func (p ports) areFree(free func(int) bool) bool {
	for i := range purposes {
		if !free(int(p) + i) {
			return false
		}
	}
	return true
}

func (p ports) number(owner, purpose string) int {
	return int(p) + slices.Index(purposes, owner+" "+purpose)
}

// address is where a port is listened on: 127.0.0.1:PORT.
func (p ports) address(owner, purpose string) string {
	return net.JoinHostPort(loopback, strconv.Itoa(p.number(owner, purpose)))
}

// describe lists the ports of one process: "client 23790, peer 23791".
func (p ports) describe(owner string) string {
	var list []string
	for i, text := range purposes {
		if purpose, is := strings.CutPrefix(text, owner+" "); is {
			list = append(list, fmt.Sprintf("%s %d", purpose, int(p)+i))
		}
	}
	return strings.Join(list, ", ")
}

func portIsFree(number int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(number))) //nolint:noctx // over at once
	return err == nil && listener.Close() == nil
}
