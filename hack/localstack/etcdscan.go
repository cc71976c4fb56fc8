// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

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

// etcdScan reads everything that etcd holds through the JSON gateway on its client port.
type etcdScan struct {
	endpoint string
	client   *http.Client
}

// entry is one key with a value that it has or had.
type entry struct {
	Key         []byte `json:"key"`
	Value       []byte `json:"value"`
	ModRevision int64  `json:"mod_revision,string"`
}

const pageSize = 200

// zero is the lowest key there can be and, as the end of a range, stands for no end.
var zero = encode([]byte{0})

// current visits every key. It returns the revision that it saw.
func (e etcdScan) current(ctx context.Context, visit func(entry)) (int64, error) {
	var revision int64
	from := []byte{0}
	for {
		request := map[string]any{"key": encode(from), "range_end": zero, "limit": pageSize}
		if revision != 0 {
			request["revision"] = revision // all pages of one moment
		}
		body, err := e.post(ctx, "/v3/kv/range", request)
		if err != nil {
			return 0, err
		}
		page, err := parsePage(body)
		if err := closing(body, err); err != nil {
			return 0, err
		}
		revision = page.Header.Revision
		for _, pair := range page.Pairs {
			visit(pair)
		}
		if !page.More || len(page.Pairs) == 0 {
			return revision, nil
		}
		from = slices.Concat(page.Pairs[len(page.Pairs)-1].Key, []byte{0}) // the next key there can be
	}
}

// history visits every change that has not been compacted yet, up to a revision: a value that was overwritten or
// deleted lies in etcd's files for some more minutes.
func (e etcdScan) history(ctx context.Context, until int64, visit func(entry)) error {
	from := int64(1)
	for {
		compacted, err := e.watch(ctx, from, until, visit)
		if err != nil || compacted == 0 {
			return err
		}
		from = compacted
	}
}

// watch reads changes from one revision to another. If the first was compacted, it returns the oldest there is.
func (e etcdScan) watch(ctx context.Context, from, until int64, visit func(entry)) (int64, error) {
	create := map[string]any{"key": zero, "range_end": zero, "start_revision": from}
	body, err := e.post(ctx, "/v3/watch", map[string]any{"create_request": create})
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }()
	return readChanges(body, until, visit)
}

type page struct {
	Header struct {
		Revision int64 `json:"revision,string"`
	} `json:"header"`
	Pairs []entry `json:"kvs"`
	More  bool    `json:"more"`
}

func parsePage(body io.Reader) (page, error) {
	var p page
	if err := json.NewDecoder(body).Decode(&p); err != nil {
		return p, fmt.Errorf("answer of etcd: %w", err)
	}
	return p, nil
}

// readChanges reads the stream of a watch until it reached a revision.
func readChanges(body io.Reader, until int64, visit func(entry)) (compacted int64, err error) {
	decoder := json.NewDecoder(body)
	for {
		var message struct {
			Result struct {
				CompactRevision string `json:"compact_revision"`
				Canceled        bool   `json:"canceled"`
				Events          []struct {
					Pair entry `json:"kv"`
				} `json:"events"`
			} `json:"result"`
			Error json.RawMessage `json:"error"`
		}
		if err := decoder.Decode(&message); err != nil {
			return 0, fmt.Errorf("watch of etcd: %w", err)
		}
		if message.Result.CompactRevision != "" {
			return strconv.ParseInt(message.Result.CompactRevision, 10, 64)
		}
		if message.Result.Canceled || message.Error != nil {
			return 0, fmt.Errorf("etcd ended the watch: %s", message.Error)
		}
		// All changes of one revision come in one message.
		reached := false
		for _, event := range message.Result.Events {
			visit(event.Pair)
			reached = reached || event.Pair.ModRevision >= until
		}
		if reached {
			return 0, nil
		}
	}
}

func (e etcdScan) post(ctx context.Context, path string, body any) (io.ReadCloser, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.endpoint+path, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	response, err := e.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, closing(response.Body, fmt.Errorf("etcd answers %s to %s", response.Status, path))
	}
	return response.Body, nil
}

// closing closes c and returns err, or what the closing says.
func closing(c io.Closer, err error) error {
	if closeErr := c.Close(); err == nil {
		return closeErr
	}
	return err
}

func encode(key []byte) string { return base64.StdEncoding.EncodeToString(key) }
