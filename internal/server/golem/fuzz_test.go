// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/latchkey-dev/latchkey/internal/typedvalue/agentpath"
)

// fuzzSeeds are what may stand before and behind a canary.
var fuzzSeeds = [][2]string{
	{`{"path":["n"],"secretType":{"type":"Str"},"secretValue":"`, `"}`},
	{`{"path":["n"],"secretType":{"type":"F64"},"secretValue":`, `}`},
	{`{"path":["`, `"],"secretType":{"type":"Bool"},"secretValue":null}`},
	{`{"path":[`, `],"secretType":[]}`},
	{`{"currentRevision":0,"secretValue":{"op":"set","value":"`, `"}}`},
	{`{"currentRevision":0,"secretValue":{"op":"`, `","value":1}}`},
	{`{"currentRevision":`, `,"secretValue":{"op":"unset"}}`},
	{`{"currentRevision":1,"currentRevision":2,"secretValue":`, `}`},
	{`{"`, `":1e999,"currentRevision":0}`},
	{`[`, `]`}, {``, ``}, {`null `, ``}, {`{"value":"\ud8`, `"}`}, {"{\"value\":\"\xff", `"}`}, {`{"value":-`, `e99999}`},
}

// fuzzBody looks for a panic, for a message that repeats what was sent (the
// canary stands anywhere in the body), and for a body that is read otherwise
// than encoding/json reads it.
func fuzzBody(f *testing.F, decode func([]byte) error, compare func(*testing.T, map[string]any, []byte)) {
	for _, seed := range fuzzSeeds {
		f.Add(seed[0], seed[1], false)
		f.Add(seed[0], seed[1], true)
	}
	f.Fuzz(func(t *testing.T, before, after string, number bool) {
		canary := canaries[0]
		if number {
			canary = canaries[1]
		}
		body := []byte(before + canary + after)
		err := decode(body)
		if err == nil {
			var members map[string]any
			decoder := json.NewDecoder(bytes.NewReader(body))
			decoder.UseNumber()
			if err := decoder.Decode(&members); err != nil || !json.Valid(body) {
				t.Fatalf("a body is read that encoding/json does not: %v", err)
			}
			compare(t, members, body)
			return
		}
		var invalid *invalidError
		if !errors.As(err, &invalid) || len(invalid.problems) == 0 {
			t.Fatalf("error of another type: %T", err)
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("the message repeats the value: %s", err)
		}
	})
}

func FuzzCreateBody(f *testing.F) {
	fuzzBody(f, func(body []byte) error {
		_, err := decodeCreate(body)
		return err
	}, func(t *testing.T, want map[string]any, body []byte) {
		got, _ := decodeCreate(body)
		path, ok := want["path"].([]any)
		if !ok || len(path) != len(got.path) {
			t.Fatalf("path = %q of %v", got.path, want["path"])
		}
		for i, segment := range path {
			if text, _ := segment.(string); agentpath.CanonicalSegment(text) != got.path[i] {
				t.Errorf("path[%d] = %q of %v", i, got.path[i], segment)
			}
		}
		sameJSON(t, want["secretType"], got.secretType)
		if want["secretValue"] != nil || got.secretValue != nil {
			sameJSON(t, want["secretValue"], got.secretValue)
		}
	})
}

func FuzzUpdateBody(f *testing.F) {
	fuzzBody(f, func(body []byte) error {
		_, err := decodeUpdate(body)
		return err
	}, func(t *testing.T, want map[string]any, body []byte) {
		got, _ := decodeUpdate(body)
		if revision, _ := want["currentRevision"].(json.Number); revision.String() != strconv.FormatUint(got.revision, 10) {
			t.Errorf("revision = %d of %v", got.revision, want["currentRevision"])
		}
		change, _ := want["secretValue"].(map[string]any)
		var op any
		switch {
		case got.set != nil:
			op = "set"
			sameJSON(t, change["value"], got.set)
		case got.unset:
			op = "unset"
		case want["secretValue"] != nil:
			op = "nothing"
		}
		if change["op"] != op {
			t.Errorf("op = %v of %v", op, want["secretValue"])
		}
	})
}

func sameJSON(t *testing.T, want any, text []byte) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var got any
	if err := decoder.Decode(&got); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("member (-want +got):\n%s", diff)
	}
}
