// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Link is a connection to an address that can be cut or stalled.
type Link struct {
	// Kubeconfig leads over a link to the API server, with the rights of a command.
	Kubeconfig string

	listener net.Listener
	target   string

	mu      sync.Mutex
	changed *sync.Cond
	isCut   bool
	stalled bool
	open    map[net.Conn]bool
}

// NewLink returns a link to a host and port. The caller closes it.
func NewLink(ctx context.Context, target string) (*Link, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address(0))
	if err != nil {
		return nil, err
	}
	l := &Link{listener: listener, target: target, open: map[net.Conn]bool{}}
	l.changed = sync.NewCond(&l.mu)
	go l.serve()
	return l, nil
}

// Address returns the host and port where the link begins.
func (l *Link) Address() string { return l.listener.Addr().String() }

// Link returns a link to the API server for a command. The caller closes it.
func (c *Cluster) Link(ctx context.Context, command string) (*Link, error) {
	server, _, err := rest.DefaultServerUrlFor(c.Config)
	if err != nil {
		return nil, err
	}
	l, err := NewLink(ctx, server.Host)
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(l.Address())
	l.Kubeconfig = filepath.Join(c.Dir, command+"-link-"+port+".kubeconfig")
	config, err := clientcmd.LoadFromFile(c.kubeconfig(command))
	if err != nil {
		return nil, err
	}
	for _, cluster := range config.Clusters {
		cluster.Server = "https://" + l.Address()
	}
	if err := clientcmd.WriteToFile(*config, l.Kubeconfig); err != nil {
		return nil, fmt.Errorf("kubeconfig of a link: %w", err)
	}
	return l, nil
}

// Cut breaks all connections, and every one that is made from now on.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = true
	for connection := range l.open {
		_ = connection.Close() // it breaks in any case
	}
	l.changed.Broadcast()
}

// Stall keeps and accepts connections, but passes no byte on.
func (l *Link) Stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalled = true
}

// Mend ends Cut and Stall. Bytes that Stall held back arrive.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut, l.stalled = false, false
	l.changed.Broadcast()
}

// Close ends the link.
func (l *Link) Close() error {
	l.Cut()
	return l.listener.Close()
}

func (l *Link) serve() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		go l.pass(near)
	}
}

// pass connects one connection with the target until one of them ends.
func (l *Link) pass(near net.Conn) {
	defer func() { _ = near.Close() }()
	far, err := net.Dial("tcp", l.target) //nolint:noctx // ends with the link
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	if !l.keep(near, far) {
		return
	}
	defer l.drop(near, far)
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		go func() {
			_, _ = io.Copy(gate{way[0], l}, way[1]) // it ends however it ends
			ended <- struct{}{}
		}()
	}
	<-ended
}

// gate is a connection that nothing is written to while its link is stalled.
type gate struct {
	io.Writer

	link *Link
}

// Write waits until the link is mended or cut.
func (g gate) Write(b []byte) (int, error) {
	g.link.mu.Lock()
	for g.link.stalled && !g.link.isCut {
		g.link.changed.Wait()
	}
	g.link.mu.Unlock()
	return g.Writer.Write(b)
}

func (l *Link) keep(connections ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range connections {
		l.open[c] = true
	}
	if l.isCut {
		for _, c := range connections {
			delete(l.open, c)
		}
	}
	return !l.isCut
}

func (l *Link) drop(connections ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range connections {
		delete(l.open, c)
	}
}
