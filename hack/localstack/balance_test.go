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

	"github.com/google/go-cmp/cmp"
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

func TestBalanceTakesTurns(t *testing.T) {
	address, _ := balance(t, replica(t, "a"), replica(t, "b"))
	var got []string
	for range 4 {
		got = append(got, ask(t, address, "hello"))
	}
	if diff := cmp.Diff([]string{"a:hello", "b:hello", "a:hello", "b:hello"}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestBalanceSkipsADeadReplicaAndUsesItAgainWhenItIsBack(t *testing.T) {
	a, b := replica(t, "a"), replica(t, "b")
	address, _ := balance(t, a, b)
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

func TestBalanceCarriesManyConnectionsAtOnce(t *testing.T) {
	address, _ := balance(t, replica(t, "a"), replica(t, "b"))
	long := strings.Repeat("0123456789", 30000)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got := ask(t, address, long); len(got) != len(long)+2 {
				t.Errorf("answer of %d bytes, want %d", len(got), len(long)+2)
			}
		})
	}
	all.Wait()
}

func TestBalanceEndsWithOpenConnections(t *testing.T) {
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

func TestParseRoute(t *testing.T) {
	for name, test := range map[string]struct {
		text    string
		want    []string
		wantErr bool
	}{
		"a route with two backends":               {text: "127.0.0.1:1=127.0.0.1:2+127.0.0.1:3", want: []string{"127.0.0.1:2", "127.0.0.1:3"}},
		"a route without backends is refused":     {text: "127.0.0.1:1", wantErr: true},
		"an empty backend is refused":             {text: "127.0.0.1:1=", wantErr: true},
		"listening to the network is refused":     {text: "0.0.0.0:1=127.0.0.1:2", wantErr: true},
		"a backend on another machine is refused": {text: "127.0.0.1:1=192.0.2.1:2", wantErr: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseRoute(test.text)
			if (err != nil) != test.wantErr {
				t.Fatalf("error %v, want one: %t", err, test.wantErr)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(test.want, got.backends); diff != "" {
				t.Errorf("backends (-want +got):\n%s", diff)
			}
		})
	}
}
