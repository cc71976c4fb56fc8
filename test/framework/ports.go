// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

const loopback = "127.0.0.1"

// Ports come from below the kernel's range for outgoing connections: a process that is
// restarted must find its port free.
const firstPort, lastPort = 12000, 20000

// ports remembers which ports were handed out, because a port stays free until it is used.
type ports struct {
	mu    sync.Mutex
	taken map[int]bool
}

// pick returns a free port of the loopback interface.
func (p *ports) pick() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // a port is no secret
		if p.taken[port] {
			continue
		}
		listener, err := net.Listen("tcp", address(port)) //nolint:noctx // over at once
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			return 0, fmt.Errorf("give port %d back: %w", port, err)
		}
		if p.taken == nil {
			p.taken = map[int]bool{}
		}
		p.taken[port] = true
		return port, nil
	}
	return 0, errors.New("no free port found")
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
