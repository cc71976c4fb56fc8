// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

// stand is a page on a cluster that counts what is asked of it and knows no object.
type stand struct {
	*Server
	asked, changed atomic.Int64
	clock          atomic.Int64
	secret         string
	ended          chan error
}

func newStand(t *testing.T, o Options) *stand {
	t.Helper()
	return newStandOn(t, o, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"message":"none"}`)
	})
}

// newStandOn is newStand on a cluster of other answers.
func newStandOn(t *testing.T, o Options, answer http.HandlerFunc) *stand {
	t.Helper()
	s := &stand{ended: make(chan error, 1)}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if r.Method != http.MethodGet {
			s.changed.Add(1)
		}
		answer(w, r)
	}))
	t.Cleanup(api.Close)
	c, err := cluster.For(&rest.Config{Host: api.URL}, cli.SystemNamespace)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	o.Namespace = "alice"
	s.Server, err = listen(t.Context(), c, o, func() time.Time { return begun.Add(time.Duration(s.clock.Load())) })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { s.ended <- s.Serve(ctx) }()
	return s
}

// open redeems the code, as the page does.
func (s *stand) open(t *testing.T) {
	t.Helper()
	answer, text := s.do(t, http.MethodPost, "/session", s.session.code, nil)
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("the code was not taken: %d", answer.StatusCode)
	}
	s.secret = text
}

// answer is what came back beside the text.
type answer struct {
	StatusCode int
	Header     http.Header
}

// do sends a request with headers; Host is a header as well.
func (s *stand) do(t *testing.T, method, path, body string, headers map[string]string) (answer, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.host+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	if method == http.MethodPost && path != "/session" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header}, string(text)
}

// stream opens a stream of events and returns it once it has said that it is live.
func (s *stand) stream(t *testing.T, path string) io.ReadCloser {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.host+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range s.member(map[string]string{liveHeader: "1"}) {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	first := make([]byte, len("event: live"))
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "event: live" {
		t.Fatalf("the stream begins with %q, %v", first, err)
	}
	return response.Body
}

func (s *stand) member(more map[string]string) map[string]string {
	headers := map[string]string{sessionHeader: s.secret, "HX-Request": "true"}
	for name, value := range more {
		headers[name] = value
	}
	return headers
}

// awaitEnd returns why the server ended.
func (s *stand) awaitEnd(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the server goes on")
		return nil
	}
}
