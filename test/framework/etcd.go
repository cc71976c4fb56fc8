// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
)

// Etcd reads what the API server stored, as it is stored, through the JSON gateway
// on etcd's client port.
type Etcd struct{ url string }

// EtcdAt returns the etcd whose client port a URL names.
func EtcdAt(url string) Etcd { return Etcd{url: url} }

// Entry is a key with its value, current or former.
type Entry struct {
	// Key is such as /registry/secrets/NAMESPACE/NAME.
	Key []byte `json:"key"`
	// Value is the stored object.
	Value []byte `json:"value"`
	// Revision is that of the change.
	Revision int64 `json:"mod_revision,string"`
}

// everything is the lowest possible key. As the end of a range, it means no end.
var everything = base64.StdEncoding.EncodeToString([]byte{0})

// Visit shows every key, and every change after a revision that etcd has not compacted
// yet.
func (e Etcd) Visit(ctx context.Context, since int64, visit func(Entry)) error {
	until, err := e.current(ctx, visit)
	if err != nil {
		return err
	}
	for from := since + 1; from > 0 && from <= until; {
		if from, err = e.changes(ctx, from, until, visit); err != nil {
			return err
		}
	}
	return nil
}

// Revision returns the current revision. Every change raises it.
func (e Etcd) Revision(ctx context.Context) (int64, error) {
	page, err := e.page(ctx, map[string]any{"key": everything, "limit": 1})
	return page.Header.Revision, err
}

// Compact removes every change before the current revision, so that no watch can resume
// from an older one.
func (e Etcd) Compact(ctx context.Context) error {
	revision, err := e.Revision(ctx)
	if err != nil {
		return err
	}
	body, err := e.post(ctx, "/v3/kv/compaction", map[string]any{"revision": revision, "physical": true})
	if err != nil {
		return err
	}
	return body.Close()
}

// ChangedSince returns the keys that changed after a revision, once for each change.
func (e Etcd) ChangedSince(ctx context.Context, revision int64) ([]string, error) {
	until, err := e.Revision(ctx)
	if err != nil || until == revision {
		return nil, err
	}
	var keys []string
	_, err = e.changes(ctx, revision+1, until, func(entry Entry) { keys = append(keys, string(entry.Key)) })
	return keys, err
}

// current shows every key and returns the revision at which it did.
func (e Etcd) current(ctx context.Context, visit func(Entry)) (int64, error) {
	var revision int64
	for from := []byte{0}; ; {
		page, err := e.page(ctx, map[string]any{
			"key": from, "range_end": everything, "limit": 500, "revision": revision, // all pages of one moment
		})
		if err != nil {
			return 0, err
		}
		revision = page.Header.Revision
		for _, pair := range page.Pairs {
			visit(pair)
		}
		if !page.More {
			return revision, nil
		}
		from = slices.Concat(page.Pairs[len(page.Pairs)-1].Key, []byte{0}) // the next key there can be
	}
}

type page struct {
	Header struct {
		Revision int64 `json:"revision,string"`
	} `json:"header"`
	Pairs []Entry `json:"kvs"`
	More  bool    `json:"more"`
}

func (e Etcd) page(ctx context.Context, request map[string]any) (page, error) {
	var answer page
	body, err := e.post(ctx, "/v3/kv/range", request)
	if err != nil {
		return answer, err
	}
	defer func() { _ = body.Close() }()
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("answer of etcd: %w", err)
	}
	return answer, nil
}

// changes shows the changes from one revision to another. If the first has been compacted,
// it returns the oldest that has not, otherwise 0.
func (e Etcd) changes(ctx context.Context, from, until int64, visit func(Entry)) (int64, error) {
	body, err := e.post(ctx, "/v3/watch", map[string]any{"create_request": map[string]any{
		"key": everything, "range_end": everything, "start_revision": from,
	}})
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }()
	for decoder := json.NewDecoder(body); ; {
		var message struct {
			Result struct {
				Compacted string `json:"compact_revision"`
				Canceled  bool   `json:"canceled"`
				Events    []struct {
					Pair Entry `json:"kv"`
				} `json:"events"`
			} `json:"result"`
		}
		if err := decoder.Decode(&message); err != nil {
			return 0, fmt.Errorf("watch of etcd: %w", err)
		}
		if message.Result.Compacted != "" {
			return strconv.ParseInt(message.Result.Compacted, 10, 64)
		}
		if message.Result.Canceled {
			return 0, fmt.Errorf("etcd ended the watch")
		}
		for _, event := range message.Result.Events {
			visit(event.Pair)
		}
		// All changes of one revision come in one message.
		if n := len(message.Result.Events); n > 0 && message.Result.Events[n-1].Pair.Revision >= until {
			return 0, nil
		}
	}
}

func (e Etcd) post(ctx context.Context, path string, body any) (io.ReadCloser, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+path, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask etcd: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, fmt.Errorf("etcd answers %s to %s", response.Status, path)
	}
	return response.Body, nil
}
