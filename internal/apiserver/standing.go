// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net"
	"net/http"
	"sync"

	"k8s.io/klog/v2"
)

// Standing knows whether the API server still takes this process for who it is. It does
// not any more when the process's pod was deleted by force: its token ends at once, while
// the process goes on for seconds, and keeps the connections that it has.
//
// Such a process can neither say who a caller is nor write, and what it has in memory
// grows old. To a caller it shall be what it is, a replica that is gone: connections to
// it break, before anything wrong is said on them, and the next one leads elsewhere.
//
// Its zero value is ready for use.
type Standing struct {
	mu   sync.Mutex
	lost bool
	open map[net.Conn]bool
}

// Wrap lets s see the API server's answers to this process's own requests.
func (s *Standing) Wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		switch {
		case err != nil:
		case response.StatusCode == http.StatusUnauthorized:
			if s.set(true) {
				klog.FromContext(r.Context()).Info("The API server does not accept this process's credentials: REST connections are dropped")
			}
		case response.StatusCode < http.StatusBadRequest:
			s.set(false)
		}
		return response, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// set notes how it is, and says whether it was otherwise.
func (s *Standing) set(lost bool) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed = s.lost != lost
	s.lost = lost
	if lost {
		for connection := range s.open {
			_ = connection.Close() // it breaks in any case
		}
	}
	return changed
}

// listen returns a listener whose connections break when s is lost, and as long as it is.
func (s *Standing) listen(inner net.Listener) net.Listener {
	return &standingListener{Listener: inner, standing: s}
}

type standingListener struct {
	net.Listener
	standing *Standing
}

// Accept implements net.Listener.
func (l *standingListener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := l.standing
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[net.Conn]bool{}
	}
	s.open[inner] = true
	if s.lost {
		_ = inner.Close() // who reads from it learns
	}
	return &standingConn{Conn: inner, standing: s}, nil
}

type standingConn struct {
	net.Conn
	standing *Standing
}

// Close implements net.Conn.
func (c *standingConn) Close() error {
	c.standing.mu.Lock()
	delete(c.standing.open, c.Conn)
	c.standing.mu.Unlock()
	return c.Conn.Close()
}
