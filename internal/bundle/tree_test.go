// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func entry(path, value string) treeEntry {
	return treeEntry{Path: strings.Split(path, "."), Value: json.RawMessage(value)}
}

func TestTree(t *testing.T) {
	tests := map[string]struct {
		entries []treeEntry
		want    string
	}{
		"no entries":                 {nil, `{}`},
		"keys are sorted":            {[]treeEntry{entry("b", `1`), entry("a", `2`), entry("aB", `3`)}, `{"a":2,"aB":3,"b":1}`},
		"segments nest":              {[]treeEntry{entry("db.user", `"u"`), entry("db.password", `"p"`), entry("x", `1`)}, `{"db":{"password":"p","user":"u"},"x":1}`},
		"values are as they are":     {[]treeEntry{entry("a", `{"z":1.0,"b":[18446744073709551615]}`)}, `{"a":{"z":1.0,"b":[18446744073709551615]}}`},
		"no value, no entry":         {[]treeEntry{entry("a.b", ``), entry("c", `null`)}, `{"c":null}`},
		"a value above a subtree":    {[]treeEntry{entry("db.password", `1`), entry("db", `2`)}, `{"db":{"":2,"password":1}}`},
		"values on three levels":     {[]treeEntry{entry("a.b.c", `3`), entry("a", `1`), entry("a.b", `2`)}, `{"a":{"":1,"b":{"":2,"c":3}}}`},
		"a deep path alone":          {[]treeEntry{entry("a.b.c", `[]`)}, `{"a":{"b":{"c":[]}}}`},
		"a segment outside of ASCII": {[]treeEntry{entry("schlüssel", `true`)}, `{"schlüssel":true}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				got, err := tree(test.entries)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, string(got)); diff != "" {
					t.Errorf("document differs (-want +got):\n%s", diff)
				}
				if !json.Valid(got) {
					t.Error("the document is not valid JSON")
				}
				slices.Reverse(test.entries)
			}
		})
	}
}

func TestTreeRefuses(t *testing.T) {
	tests := map[string]struct {
		entries []treeEntry
		want    string
	}{
		"two values at one path":    {[]treeEntry{entry("a.b", `1`), entry("a.b", `1`)}, "path a.b: more than one value"},
		"a value that is no JSON":   {[]treeEntry{entry("a.b", `canary`)}, "path a.b: value is not valid JSON"},
		"no path":                   {[]treeEntry{{Value: json.RawMessage(`1`)}}, "path: expected 1 to 16 segments"},
		"an empty segment":          {[]treeEntry{entry("a.", `1`)}, "path: expected canonical segments"},
		"a segment that is no text": {[]treeEntry{entry("a\xff", `1`)}, "path: expected canonical segments"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tree(test.entries)
			if err == nil || err.Error() != test.want {
				t.Errorf("Tree = %s, %v; want %s", got, err, test.want)
			}
		})
	}
}
