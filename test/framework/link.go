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

// Link is a way to the API server that can be cut, for a process that is started with its
// kubeconfig.
type Link struct {
	// Kubeconfig leads over the link, with the rights of a command.
	Kubeconfig string

	listener net.Listener
	target   string

	mu    sync.Mutex
	isCut bool
	open  map[net.Conn]bool
}

// Link returns a link for a command. The caller closes it.
func (c *Cluster) Link(ctx context.Context, command string) (*Link, error) {
	server, _, err := rest.DefaultServerUrlFor(c.Config)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address(0))
	if err != nil {
		return nil, err
	}
	l := &Link{
		Kubeconfig: filepath.Join(c.Dir, command+"-link.kubeconfig"), listener: listener,
		target: server.Host, open: map[net.Conn]bool{},
	}
	config, err := clientcmd.LoadFromFile(c.kubeconfig(command))
	if err != nil {
		return nil, err
	}
	for _, cluster := range config.Clusters {
		cluster.Server = "https://" + listener.Addr().String()
	}
	if err := clientcmd.WriteToFile(*config, l.Kubeconfig); err != nil {
		return nil, fmt.Errorf("kubeconfig of a link: %w", err)
	}
	go l.serve()
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
}

// Mend ends Cut.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = false
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

// pass connects one connection with the API server until one of them ends.
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
			_, _ = io.Copy(way[0], way[1]) // it ends however it ends
			ended <- struct{}{}
		}()
	}
	<-ended
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
