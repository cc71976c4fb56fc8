// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net"
	"os"
	"strconv"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

const loopback = "127.0.0.1"

// The range lies below the one from which Linux takes the ports of outgoing connections, so that a remembered port is
// still free when its process comes back.
const (
	firstPort = 20000
	lastPort  = 30000
)

// portBook remembers which port each process uses for what, so that addresses survive a restart.
type portBook struct {
	path    string
	numbers map[string]int
	free    func(int) bool
}

func loadPorts(path string) (*portBook, error) {
	book := &portBook{path: path, numbers: map[string]int{}, free: portIsFree}
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return book, nil
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(content, &book.numbers); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return book, nil
}

// claim settles the ports of one process. A remembered port is given up only if the process is not running and
// something else took it.
func (b *portBook) claim(owner string, running bool, purposes ...string) error {
	for _, purpose := range purposes {
		key := owner + "/" + purpose
		if number, known := b.numbers[key]; known && (running || b.free(number)) {
			continue
		}
		number, err := b.pick()
		if err != nil {
			return fmt.Errorf("port for %s: %w", key, err)
		}
		b.numbers[key] = number
	}
	return nil
}

// pick finds a port that nobody uses. Each source tree begins at a place of its own, so that two stacks that start at
// once do not race for the same ports.
func (b *portBook) pick() (int, error) {
	start := fnv.New32a()
	_, _ = start.Write([]byte(b.path))
	used := make(map[int]bool, len(b.numbers))
	for _, number := range b.numbers {
		used[number] = true
	}
	const count = lastPort - firstPort
	for i := range count {
		number := firstPort + (int(start.Sum32()%count)+i)%count
		if !used[number] && b.free(number) {
			return number, nil
		}
	}
	return 0, errors.New("none is free between " + strconv.Itoa(firstPort) + " and " + strconv.Itoa(lastPort))
}

func (b *portBook) save() error {
	content, err := json.MarshalIndent(b.numbers, "", "  ")
	if err != nil {
		return err
	}
	return supervise.WriteFile(b.path, append(content, '\n'))
}

func (b *portBook) number(owner, purpose string) int { return b.numbers[owner+"/"+purpose] }

// address is where a claimed port is listened on: 127.0.0.1:PORT.
func (b *portBook) address(owner, purpose string) string {
	return net.JoinHostPort(loopback, strconv.Itoa(b.number(owner, purpose)))
}

func portIsFree(number int) bool {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(loopback, strconv.Itoa(number)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}
