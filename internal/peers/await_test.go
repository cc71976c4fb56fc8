// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/latchkey-dev/latchkey/internal/store"
)

// TestAwait asks one other replica, whose Lease has some time left.
func TestAwait(t *testing.T) {
	seen := func(status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	}
	for name, tc := range map[string]struct {
		replica  http.Handler // nil: connections are taken, and nothing is ever said
		left     time.Duration
		patience time.Duration
		wantErr  error
		wantMin  time.Duration
	}{
		"it has seen the write":                                  {seen(http.StatusOK), waitFor, time.Minute, nil, 0},
		"it died with its pod: until its Lease has run out":      {nil, 400 * time.Millisecond, time.Minute, nil, 300 * time.Millisecond},
		"it has not seen the write: until its Lease has run out": {seen(http.StatusServiceUnavailable), 400 * time.Millisecond, time.Minute, nil, 300 * time.Millisecond},
		"it lives and does not answer: as long as there is time": {nil, waitFor, 300 * time.Millisecond, store.ErrUnavailable, 200 * time.Millisecond},
		"its Lease has run out":                                  {nil, 0, time.Minute, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewTLSServer(tc.replica)
			defer server.Close()
			address := strings.TrimPrefix(server.URL, "https://")
			if tc.replica == nil {
				silent, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer silent.Close()
				address = silent.Addr().String()
			}
			ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
			members := &Members{others: map[string]other{"one": {address: address, seen: time.Now().Add(tc.left - waitFor)}}}
			peers := New(members, &rest.Config{}, func() []byte { return ca }, "example.com")

			ctx, cancel := context.WithTimeout(t.Context(), tc.patience)
			defer cancel()
			began := time.Now()
			err := peers.Await(ctx, store.Mark{Kind: "UserSecret", Version: 1})
			if !errors.Is(err, tc.wantErr) {
				t.Errorf("Await = %v, want %v", err, tc.wantErr)
			}
			if took := time.Since(began); took < tc.wantMin || took > tc.wantMin+askFor-time.Second {
				t.Errorf("it took %s, want a little more than %s", took, tc.wantMin)
			}
		})
	}
}

// seer notes what it is asked.
type seer struct{ asked []store.Mark }

func (s *seer) Seen(_ context.Context, mark store.Mark) error {
	s.asked = append(s.asked, mark)
	return nil
}

// TestAQuestionArrivesAsItWasAsked lets one replica ask another.
func TestAQuestionArrivesAsItWasAsked(t *testing.T) {
	asked := &seer{}
	server := httptest.NewTLSServer(Handler(map[string]Seer{"UserSecret": asked}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "https://")
	marks := []store.Mark{
		{Kind: "UserSecret", Namespace: "alice", Version: 7},
		{Kind: "UserSecret", Namespace: "alice", Name: "a&b", Gone: "1"},
	}
	for _, mark := range marks {
		if err := ask(t.Context(), server.Client(), address, mark, time.Minute); err != nil {
			t.Errorf("ask(%v) = %v", mark, err)
		}
	}
	if diff := cmp.Diff(marks, asked.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if err := ask(t.Context(), server.Client(), address, store.Mark{Kind: "Secret", Version: 7}, time.Minute); err == nil {
		t.Error("a question about a kind that is none is answered")
	}
}
