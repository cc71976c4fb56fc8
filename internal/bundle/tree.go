// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/latchkey-dev/latchkey/internal/typedvalue"
	"github.com/latchkey-dev/latchkey/internal/typedvalue/agentpath"
)

// treeEntry is one secret of a tree. Without a value it is left out.
type treeEntry struct {
	Path  []string
	Value json.RawMessage
}

// tree prints all secrets as one JSON document: an object per segment, keys sorted
// bytewise, values unchanged.
//
// If one path is the beginning of another, a value and an object have the same place.
// The value is then in the object under the empty key, which no canonical path has:
// ["db"] and ["db","password"] become {"db":{"":…,"password":…}}. So no value is lost,
// and the document depends only on the entries.
func tree(entries []treeEntry) ([]byte, error) {
	present := make([]treeEntry, 0, len(entries))
	size := 2
	for _, entry := range entries {
		if len(entry.Value) == 0 {
			continue
		}
		if err := checkTreeEntry(entry); err != nil {
			return nil, err
		}
		size += len(entry.Value) + 16*len(entry.Path)
		present = append(present, entry)
	}
	slices.SortFunc(present, func(a, b treeEntry) int { return slices.Compare(a.Path, b.Path) })
	for i := 1; i < len(present); i++ {
		if slices.Equal(present[i-1].Path, present[i].Path) {
			return nil, fmt.Errorf("path %s: more than one value", strings.Join(present[i].Path, "."))
		}
	}
	return appendTree(make([]byte, 0, size), present, 0), nil
}

func checkTreeEntry(entry treeEntry) error {
	if len(entry.Path) == 0 || len(entry.Path) > agentpath.MaxSegments {
		return fmt.Errorf("path: expected 1 to %d segments", agentpath.MaxSegments)
	}
	for _, segment := range entry.Path {
		if segment == "" || !utf8.ValidString(segment) {
			return errors.New("path: expected canonical segments")
		}
	}
	if !json.Valid(entry.Value) {
		return fmt.Errorf("path %s: value is not valid JSON", strings.Join(entry.Path, "."))
	}
	return nil
}

// appendTree adds the object of sorted entries that share their first depth
// segments.
func appendTree(out []byte, entries []treeEntry, depth int) []byte {
	out = append(out, '{')
	for i := 0; i < len(entries); {
		if i > 0 {
			out = append(out, ',')
		}
		if len(entries[i].Path) == depth {
			out = append(out, `"":`...)
			out = append(out, entries[i].Value...)
			i++
			continue
		}
		key := entries[i].Path[depth]
		end := i + 1
		for end < len(entries) && entries[end].Path[depth] == key {
			end++
		}
		out = typedvalue.AppendQuoted(out, key)
		out = append(out, ':')
		if end == i+1 && len(entries[i].Path) == depth+1 {
			out = append(out, entries[i].Value...)
		} else {
			out = appendTree(out, entries[i:end], depth+1)
		}
		i = end
	}
	return append(out, '}')
}
