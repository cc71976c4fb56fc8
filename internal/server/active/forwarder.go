// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package active

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/latchkey-dev/latchkey/internal/digest"
)

const (
	// speakWithin is how long a client may take to send its first byte.
	speakWithin = 30 * time.Second
	// dialWithin is how long the active server may take to accept a connection.
	dialWithin = time.Second
)

// Identity returns the identity of a replica that is reached at address. process is
// unique.
func Identity(address, process string) string { return address + "/" + process }

func addressOf(identity string) string {
	address, _, _ := strings.Cut(identity, "/")
	return address
}

// Forwarder hands a replica's connections to its own server while the replica is
// active, and forwards them to the active replica while it is not.
type Forwarder struct {
	// Tenure knows which replica is active.
	Tenure *Tenure
	// Key returns the key with which replicas prove that they forward a connection.
	Key func() (digest.Key, error)

	mu   sync.Mutex
	open map[*forwarded]bool
}

// forwarded is a connection that is forwarded.
type forwarded struct {
	holder    string
	near, far net.Conn
}

// Listen returns the listener of this replica's own server.
func (f *Forwarder) Listen(ctx context.Context, inner net.Listener) net.Listener {
	l := &listener{Listener: inner, own: make(chan net.Conn), closed: make(chan struct{})}
	f.open = map[*forwarded]bool{}
	go f.breakOff(ctx)
	go l.accept(func(c net.Conn) { f.route(ctx, l, c) })
	go func() {
		select {
		case <-f.Tenure.closed:
			_ = inner.Close() // but l continues to serve accepted connections
		case <-l.closed:
		}
	}()
	return l
}

type listener struct {
	net.Listener
	own    chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *listener) accept(route func(net.Conn)) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			if passing, ok := err.(interface{ Temporary() bool }); ok && passing.Temporary() { // as net/http does
				time.Sleep(5 * time.Millisecond) // too many files are open
				continue
			}
			return // closed
		}
		go route(c)
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.own:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// ownConn is a connection for this replica's server. Its first byte was read already.
type ownConn struct {
	net.Conn
	first  []byte
	client net.Addr
	ended  func()
}

// Close implements net.Conn.
func (c *ownConn) Close() error {
	c.ended()
	return c.Conn.Close()
}

// Read implements net.Conn.
func (c *ownConn) Read(p []byte) (int, error) {
	if len(c.first) > 0 && len(p) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// RemoteAddr implements net.Conn.
func (c *ownConn) RemoteAddr() net.Addr { return c.client }

// route hands a connection to this replica's server or forwards it.
func (f *Forwarder) route(ctx context.Context, l *listener, c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetKeepAlivePeriod(3 * time.Minute) // as k8s.io/apiserver does
	}
	first := make([]byte, 1)
	_ = c.SetReadDeadline(time.Now().Add(speakWithin))
	if _, err := io.ReadFull(c, first); err != nil {
		_ = c.Close()
		return
	}
	own := &ownConn{Conn: c, first: first, client: c.RemoteAddr()}
	if first[0] == preambleStart[0] {
		if !f.introduced(ctx, own) {
			_ = c.Close()
			return
		}
	} else if own.first = f.pass(ctx, c, first); own.first == nil {
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	f.Tenure.connected(1)
	own.ended = sync.OnceFunc(func() { f.Tenure.connected(-1) })
	select {
	case l.own <- own:
	case <-l.closed:
		_ = own.Close()
	}
}

// introduced reads the preamble of a forwarded connection, and reports whether it is
// valid.
func (f *Forwarder) introduced(ctx context.Context, own *ownConn) bool {
	key, err := f.Key()
	if err != nil {
		return false
	}
	client, err := readPreamble(own.Conn, key, f.Tenure.identity)
	if err != nil {
		klog.FromContext(ctx).V(2).Info("Dropped a connection", "reason", err.Error(), "from", own.client.String())
		return false
	}
	own.first, own.client = nil, client
	return true
}

// find connects to the active server if that is another one. If none is active, it
// waits for the time that a takeover takes: a connection that this replica takes itself
// cannot be forwarded later. If none has been active for longer, this replica answers
// what it can, such as discovery.
func (f *Forwarder) find(ctx context.Context, client net.Addr) (string, net.Conn) {
	for {
		s := f.Tenure.state()
		if s.here {
			return "", nil
		}
		if s.other != "" {
			far, err := f.dial(ctx, s.other, client)
			if err == nil {
				return s.other, far
			}
			klog.FromContext(ctx).Info("The active server cannot be reached", "address", addressOf(s.other), "reason", err.Error())
			f.Tenure.unreach(s.other)
			continue
		}
		if s.wait <= 0 {
			return "", nil
		}
		select {
		case <-s.changed:
		case <-time.After(s.wait):
		case <-ctx.Done():
			return "", nil
		}
	}
}

// dial connects to the holder of the Lease and sends the preamble.
func (f *Forwarder) dial(ctx context.Context, holder string, client net.Addr) (net.Conn, error) {
	key, err := f.Key()
	if err != nil {
		return nil, err
	}
	introduction, err := preamble(key, holder, client)
	if err != nil {
		return nil, err
	}
	far, err := (&net.Dialer{Timeout: dialWithin}).DialContext(ctx, "tcp", addressOf(holder))
	if err != nil {
		return nil, err
	}
	if _, err := far.Write(introduction); err != nil {
		_ = far.Close()
		return nil, err
	}
	return far, nil
}

// pass forwards a client that has sent something to the active server, if that is
// another one. If there is none, it returns what the client has sent, for this
// replica's server. If the active server closes the connection before its first byte,
// it has read no request, because TLS precedes it: the client's bytes are then sent to
// the next active server.
func (f *Forwarder) pass(ctx context.Context, near net.Conn, said []byte) []byte {
	for range greetings {
		holder, far := f.find(ctx, near.RemoteAddr())
		if far == nil {
			return said
		}
		c := &forwarded{holder, near, far}
		f.keep(c)
		more, answer, err := c.greet(said)
		if said = more; err == nil {
			c.relay(answer)
		}
		f.drop(c)
		if err == nil {
			_ = near.Close()
			return nil
		}
		f.Tenure.unreach(holder)
	}
	return said
}

const (
	// greetings is the maximum number of active servers that a client is forwarded to
	// in turn.
	greetings = 3
	// greetingBytes is how much a client may send before it gets an answer.
	greetingBytes = 32 << 10
)

// greet forwards what the client sends until the active server begins to answer.
func (c *forwarded) greet(said []byte) (all, answer []byte, err error) {
	if _, err := c.far.Write(said); err != nil {
		return said, nil, err
	}
	_ = c.near.SetReadDeadline(time.Time{})
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		buffer := make([]byte, 4<<10)
		var n int
		n, err = c.far.Read(buffer)
		answer = buffer[:n]
		_ = c.near.SetReadDeadline(time.Unix(1, 0)) // ends the pending read from the client
	}()
	buffer := make([]byte, 4<<10)
	for {
		n, heard := c.near.Read(buffer)
		said = append(said, buffer[:n]...)
		if n > 0 {
			_, _ = c.far.Write(buffer[:n]) // a failure shows when reading from it
		}
		switch {
		case heard == nil && len(said) <= greetingBytes:
		case errors.Is(heard, os.ErrDeadlineExceeded):
			<-answered
			_ = c.near.SetReadDeadline(time.Time{})
			return said, answer, err
		default: // the client has gone, or has sent too much
			_, _ = c.near.Close(), c.far.Close()
			<-answered
			return said, nil, nil
		}
	}
}

// relay copies both ways until both ends are done.
func (c *forwarded) relay(answer []byte) {
	if _, err := c.near.Write(answer); err != nil {
		return
	}
	var ways sync.WaitGroup
	ways.Go(func() { pipe(c.far, c.near) })
	ways.Go(func() { pipe(c.near, c.far) })
	ways.Wait()
}

// pipe copies one way and forwards its end, so that the other way can still finish.
func pipe(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		err = half.CloseWrite()
	}
	if err != nil {
		_, _ = to.Close(), from.Close()
	}
}

func (f *Forwarder) keep(c *forwarded) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open[c] = true
	f.check(c, f.Tenure.state())
}

func (f *Forwarder) drop(c *forwarded) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, c)
	_ = c.far.Close()
}

// check closes a connection to a server that is not the active one in state s. The
// client's connection then ends, or is forwarded to the next server. The caller holds
// mu.
func (*Forwarder) check(c *forwarded, s state) {
	if s.here || s.other != "" && s.other != c.holder {
		_ = c.far.Close()
	}
}

// releasedGoesOn is how long a server that released the Lease may continue to answer
// requests that it got before.
const releasedGoesOn = time.Second

// breakOff closes connections to a server that is no longer active: it may be stopped,
// or gone with its node, and would never close them. Clients connect again.
func (f *Forwarder) breakOff(ctx context.Context) {
	for ctx.Err() == nil {
		s := f.Tenure.state()
		if s.released {
			_ = pause(ctx, releasedGoesOn) // the loop ends when ctx ends
			s = f.Tenure.state()
		}
		f.mu.Lock()
		for c := range f.open {
			f.check(c, s)
		}
		f.mu.Unlock()
		select {
		case <-s.changed:
		case <-ctx.Done():
		}
	}
}
