// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// TestStanding has a handler ask the API server something, with the outcomes given, before
// it answers a caller, who then calls once more.
func TestStanding(t *testing.T) {
	for name, tc := range map[string]struct {
		outcomes    []int // of this process's own requests, the last one last
		want        int   // status; 0 means that the connection breaks
		wantSecond  int
		wantHandled int32 // requests that came to the handler
	}{
		"nothing was asked":                {nil, 200, 200, 2},
		"the API server answered":          {[]int{200}, 200, 200, 2},
		"it answered that it may not":      {[]int{403}, 200, 200, 2},
		"it knows this process no more":    {[]int{200, 401}, 0, 0, 1},
		"it knows it no more, nor answers": {[]int{401, 503}, 0, 0, 1},
		"it knows it again":                {[]int{401, 200}, 0, 200, 2},
	} {
		for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
			t.Run(name+", "+version, func(t *testing.T) {
				standing := &Standing{}
				var handled atomic.Int32
				done := make(chan struct{}, 2)
				server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer func() { done <- struct{}{} }()
					call := handled.Add(1)
					if r.Proto != version {
						t.Errorf("the request came by %s", r.Proto)
					}
					if call == 1 {
						for _, status := range tc.outcomes {
							standing.askAndGet(t, r, status)
						}
					}
					w.WriteHeader(http.StatusOK)
				}))
				server.Listener = standing.listen(server.Listener)
				server.EnableHTTP2 = version == "HTTP/2.0"
				server.StartTLS()
				defer server.Close()
				for i, want := range []int{tc.want, tc.wantSecond} {
					// Not GET, which a client would try again by itself.
					if got, err := post(server); got != want {
						t.Errorf("call %d gets %d, %v; want %d", i+1, got, err, want)
					}
					if i == 0 {
						<-done // the connection breaks before the handler ends
					}
				}
				if got := handled.Load(); got != tc.wantHandled {
					t.Errorf("%d requests were handled, want %d", got, tc.wantHandled)
				}
			})
		}
	}
}

// askAndGet makes a request of this process's own.
func (s *Standing) askAndGet(t *testing.T, r *http.Request, status int) {
	own := s.Wrap(roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: http.NoBody}, nil
	}))
	response, err := own.RoundTrip(r)
	if err != nil || response.StatusCode != status {
		t.Errorf("the API server's answer became %v, %v", response, err)
		return
	}
	_ = response.Body.Close()
}

// post calls by a connection of its own.
func post(server *httptest.Server) (int, error) {
	caller := http.Client{Transport: server.Client().Transport.(*http.Transport).Clone()}
	defer caller.CloseIdleConnections()
	response, err := caller.Post(server.URL, "text/plain", http.NoBody)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode, err
}

// TestStandingForgetsClosedConnections: it would grow without end.
func TestStandingForgetsClosedConnections(t *testing.T) {
	standing := &Standing{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Listener = standing.listen(server.Listener)
	server.Start()
	for range 10 {
		if _, err := post(server); err != nil {
			t.Fatal(err)
		}
	}
	server.Close()
	standing.mu.Lock()
	defer standing.mu.Unlock()
	if len(standing.open) != 0 {
		t.Errorf("%d connections are remembered that are closed", len(standing.open))
	}
}
