// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// replica answers every connection with its name and then with what it was sent, until it is closed.
func replica(t *testing.T, name string) net.Listener {
	t.Helper()
	listener := listen(t)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = connection.Close() }()
				sent, err := io.ReadAll(connection) // up to the client's half-close
				if err == nil {
					_, _ = io.WriteString(connection, name+":"+string(sent))
				}
			}()
		}
	}()
	return listener
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", loopback+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// balance serves a route over the backends and returns its address and a function that ends it.
func balance(t *testing.T, backends ...net.Listener) (string, func() error) {
	t.Helper()
	listener := listen(t)
	r := &route{}
	for _, backend := range backends {
		r.backends = append(r.backends, backend.Addr().String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.serve(ctx, listener) }()
	end := sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = end() })
	return listener.Addr().String(), end
}

// ask sends a text, says that it is all, and returns the answer.
func ask(t *testing.T, address, text string) string {
	t.Helper()
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	// Where no replica lives, the connection may be reset already: no answer either.
	if _, err := io.WriteString(connection, text); err != nil {
		return ""
	}
	if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
		return ""
	}
	answer, _ := io.ReadAll(connection) // a reset is an empty answer
	return string(answer)
}

func TestBalance_ManyReplicas_TakesTurnsAndSkipsTheDead(t *testing.T) {
	a, b := replica(t, "a"), replica(t, "b")
	address, _ := balance(t, a, b)
	long := strings.Repeat("0123456789", 30000) // all of it, in both directions
	for _, want := range []string{"a:", "b:", "a:", "b:"} {
		if got := ask(t, address, long); got != want+long {
			t.Errorf("answer of %d bytes from %.2s, want %d from %s", len(got), got, len(long)+2, want)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if got := ask(t, address, "x"); got != "b:x" {
			t.Errorf("answer %q, want b:x", got)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, address, "x"); got != "" {
		t.Errorf("answer %q without a living replica, want none", got)
	}
}

func TestBalance_OpenConnections_AreCutInTheEnd(t *testing.T) {
	address, end := balance(t, replica(t, "a"))
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if _, err := io.WriteString(connection, "no end"); err != nil {
		t.Fatal(err)
	}
	if err := end(); err != nil {
		t.Errorf("end: %v", err)
	}
	if rest, _ := io.ReadAll(connection); len(rest) != 0 {
		t.Errorf("the cut connection delivered %q", rest)
	}
}
