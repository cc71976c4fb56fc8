// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pair renders an entry as the JSON gateway does.
func pair(key, value string, revision int) string {
	return fmt.Sprintf(`{"key":%q,"create_revision":"1","mod_revision":"%d","version":"1","value":%q}`,
		base64.StdEncoding.EncodeToString([]byte(key)), revision, base64.StdEncoding.EncodeToString([]byte(value)))
}

// gateway answers each request to a path with the next of its answers, and records what it was asked.
func gateway(t *testing.T, answers map[string][]string) (etcdScan, *[]map[string]any) {
	t.Helper()
	var asked []map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request map[string]any
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		asked = append(asked, request)
		left := answers[r.URL.Path]
		if len(left) == 0 {
			http.Error(w, "no answer is left", http.StatusInternalServerError)
			return
		}
		answers[r.URL.Path] = left[1:]
		_, _ = fmt.Fprintln(w, left[0])
	}))
	t.Cleanup(server.Close)
	return etcdScan{endpoint: server.URL, client: server.Client()}, &asked
}

func collect(into *[]string) func(entry) {
	return func(e entry) { *into = append(*into, fmt.Sprintf("%s=%s@%d", e.Key, e.Value, e.ModRevision)) }
}

func TestCurrentReadsAllPagesOfOneMoment(t *testing.T) {
	scan, asked := gateway(t, map[string][]string{"/v3/kv/range": {
		`{"header":{"revision":"9"},"kvs":[` + pair("a", "1", 3) + `,` + pair("b", "2", 4) + `],"more":true,"count":"3"}`,
		`{"header":{"revision":"12"},"kvs":[` + pair("c", "3", 5) + `],"count":"3"}`,
	}})
	var got []string
	revision, err := scan.current(t.Context(), collect(&got))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a=1@3", "b=2@4", "c=3@5"}, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if revision != 12 {
		t.Errorf("revision %d, want the newest that was seen, 12", revision)
	}
	want := map[string]any{"key": encode([]byte("b\x00")), "range_end": zero, "limit": float64(pageSize), "revision": float64(9)}
	if diff := cmp.Diff(want, (*asked)[1]); diff != "" {
		t.Errorf("second request (-want +got):\n%s", diff)
	}
}

func TestHistory(t *testing.T) {
	for name, test := range map[string]struct {
		answers []string
		want    []string
		wantErr bool
	}{
		"every change up to the revision is seen": {
			answers: []string{`{"result":{"created":true}}
				{"result":{"events":[{"kv":` + pair("a", "old", 2) + `},{"kv":` + pair("a", "new", 3) + `}]}}
				{"result":{"events":[{"type":"DELETE","kv":{"key":"YQ==","mod_revision":"4"}}]}}`},
			want: []string{"a=old@2", "a=new@3", "a=@4"},
		},
		"what was compacted is skipped": {
			answers: []string{
				`{"result":{"created":true}} {"result":{"canceled":true,"compact_revision":"3"}}`,
				`{"result":{"created":true}} {"result":{"events":[{"kv":` + pair("a", "new", 4) + `}]}}`,
			},
			want: []string{"a=new@4"},
		},
		"a watch that etcd ends is an error":         {answers: []string{`{"result":{"canceled":true}}`}, wantErr: true},
		"a watch that breaks off is an error":        {answers: []string{`{"result":{"created":true}}`}, wantErr: true},
		"an error of the gateway is an error":        {answers: []string{`{"error":{"message":"too many requests"}}`}, wantErr: true},
		"a request that is not served is an error":   {wantErr: true},
		"an answer that is not JSON is an error":     {answers: []string{`<html>`}, wantErr: true},
		"a revision that is no number is an error":   {answers: []string{`{"result":{"events":[{"kv":{"mod_revision":"x"}}]}}`}, wantErr: true},
		"a compaction that is no number is an error": {answers: []string{`{"result":{"compact_revision":"x"}}`}, wantErr: true},
	} {
		t.Run(name, func(t *testing.T) {
			scan, _ := gateway(t, map[string][]string{"/v3/watch": test.answers})
			var got []string
			err := scan.history(t.Context(), 4, collect(&got))
			if (err != nil) != test.wantErr {
				t.Fatalf("error %v, want one: %t", err, test.wantErr)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParsePage(t *testing.T) {
	for name, text := range map[string]string{
		"an answer that is not JSON":      `nothing`,
		"a key that is not base64":        `{"kvs":[{"key":"?","mod_revision":"1"}]}`,
		"a revision that is not a number": `{"header":{"revision":"x"}}`,
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			if _, err := parsePage(strings.NewReader(text)); err == nil {
				t.Error("no error")
			}
		})
	}
}
