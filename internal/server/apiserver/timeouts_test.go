// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericfilters "k8s.io/apiserver/pkg/server/filters"

	"github.com/latchkey-dev/latchkey/internal/server/requests"
)

// A body that never comes, or that breaks off, must not keep its handler waiting, and
// the handler's answer must arrive although the body did not: net/http takes the failed
// read for a client that is gone, and the filter for timeouts would drop the connection.
func TestABodyThatDoesNotComeIsAnswered(t *testing.T) {
	failed := make(chan error, 1)
	handler := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		failed <- err
		w.WriteHeader(http.StatusBadRequest)
	}))
	handler = withTimeout(genericfilters.WithTimeoutForNonLongRunningRequests(handler, noneLongRunning), time.Minute)
	handler = filters.WithRequestInfo(handler, &request.RequestInfoFactory{})
	for name, tc := range map[string]struct {
		limit time.Duration
		then  func(*net.TCPConn) error
		want  error
	}{
		"the client is slow":       {20 * time.Millisecond, func(*net.TCPConn) error { return nil }, os.ErrDeadlineExceeded},
		"the client stops sending": {time.Minute, (*net.TCPConn).CloseWrite, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(withBodyDeadline(handler, tc.limit))
			defer server.Close()
			for range 20 { // since it would be a race
				connection, err := net.DialTCP("tcp", nil, server.Listener.Addr().(*net.TCPAddr))
				if err != nil {
					t.Fatal(err)
				}
				_, err = io.WriteString(connection, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
				if err := errors.Join(err, tc.then(connection)); err != nil {
					t.Fatal(err)
				}
				answer, err := io.ReadAll(connection) // to the end: the connection is given up too
				if err != nil || len(answer) < 12 || string(answer[9:12]) != "400" {
					t.Errorf("answer = %q, %v", answer, err)
				}
				if err := <-failed; !errors.Is(err, tc.want) {
					t.Errorf("the handler read until %v, want %v", err, tc.want)
				}
				connection.Close()
			}
		})
	}
}

// A refusal costs an ordinary client no connection, and waits for no long body, and for no
// slow one longer than for one that is read.
func TestRefusal_BodyThatNobodyReads_KeepsTheConnectionIfItComes(t *testing.T) {
	server := httptest.NewServer(withBodyDeadline(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Unread(w, r)
		w.WriteHeader(http.StatusForbidden)
	}), 200*time.Millisecond))
	defer server.Close()
	for name, tc := range map[string]struct {
		head, body string
		wantClose  bool
	}{
		"the whole body is there":         {"Content-Length: 10", "0123456789", false},
		"a part of the body is there":     {"Content-Length: 10", "0", true},
		"the body is long":                {"Content-Length: 70000", "0", true},
		"the length is not known":         {"Transfer-Encoding: chunked", "1\r\n0\r\n0\r\n\r\n", true},
		"the client asks before it sends": {"Content-Length: 10\r\nExpect: 100-continue", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			began := time.Now()
			if _, err := io.WriteString(connection, "POST / HTTP/1.1\r\nHost: x\r\n"+tc.head+"\r\n\r\n"+tc.body); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusForbidden || answer.Close != tc.wantClose {
				t.Errorf("answered %d, connection closed: %v, want 403 and %v", answer.StatusCode, answer.Close, tc.wantClose)
			}
			if waited := time.Since(began); waited > grace {
				t.Errorf("the refusal waited %s for the body", waited)
			}
		})
	}
}

// A client that leaves still ends its request.
func TestAClientThatLeavesEndsItsRequest(t *testing.T) {
	entered, left := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(withBodyDeadline(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		close(entered)
		<-r.Context().Done()
		close(left)
	}), time.Minute))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-entered
		cancel()
	}()
	if response, err := server.Client().Do(r); err == nil {
		response.Body.Close()
		t.Error("there was an answer")
	}
	<-left
}

// Once the body is there, only the request's own deadline counts.
func TestAFastBodyHasNoDeadlineLeft(t *testing.T) {
	const limit = 500 * time.Millisecond
	server := httptest.NewServer(withBodyDeadline(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			t.Error(err)
		}
		select {
		case <-r.Context().Done():
			t.Error("the request was given up with the body's deadline")
		case <-time.After(3 * limit):
		}
	}), limit))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, io.LimitReader(zeros{}, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("got %s", response.Status)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestDialectsHaveLessTimeThanTheRequest(t *testing.T) {
	var outer, inner time.Time
	handler := withTimeout(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outer, _ = r.Context().Deadline()
		withHeadroom(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			inner, _ = r.Context().Deadline()
		})).ServeHTTP(w, r)
	}), time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	if got := outer.Sub(inner); got != headroom {
		t.Errorf("the dialect's deadline is %s earlier, want %s", got, headroom)
	}
}
