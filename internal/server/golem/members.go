// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"bytes"
	"encoding/json"
	"slices"
)

// members returns the members of a JSON object with the given names, and whether it is
// an object at all. Unlike in encoding/json, names are compared exactly. Of a repeated
// member, the last counts. Nothing is copied and other members are skipped, so a body
// full of them costs no memory. The text is empty or valid JSON.
func members(text []byte, names ...string) (map[string]json.RawMessage, bool) {
	i := skipSpace(text, 0)
	if i == len(text) || text[i] != '{' {
		return nil, false
	}
	found := make(map[string]json.RawMessage, len(names))
	for i = skipSpace(text, i+1); text[i] != '}'; {
		end := skipString(text, i+1)
		name := unquote(text[i:end])
		colon := skipSpace(text, end)
		i = skipSpace(text, colon+1)
		end = skipValue(text, i)
		if slices.Contains(names, name) {
			found[name] = json.RawMessage(text[i:end:end])
		}
		if i = skipSpace(text, end); text[i] == ',' {
			i = skipSpace(text, i+1)
		}
	}
	return found, true
}

// absent reports whether a member is missing or null.
func absent(member json.RawMessage) bool {
	return member == nil || string(member) == "null"
}

func unquote(key []byte) string {
	if bytes.IndexByte(key, '\\') < 0 {
		return string(key[1 : len(key)-1])
	}
	var name string
	if err := json.Unmarshal(key, &name); err != nil {
		return "" // not in valid JSON
	}
	return name
}

// skipString returns the index after the string whose content begins at i.
func skipString(text []byte, i int) int {
	for text[i] != '"' {
		if text[i] == '\\' {
			i++
		}
		i++
	}
	return i + 1
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the index after the value that begins at i.
func skipValue(text []byte, i int) int {
	depth := 0
	for i < len(text) {
		switch c := text[i]; {
		case c == '"':
			i = skipString(text, i+1)
		case c == '{' || c == '[':
			depth++
			i++
		case c == '}' || c == ']':
			depth--
			i++
		case depth > 0: // a literal, or text between values
			i++
		default: // the value is a literal
			for i < len(text) && bytes.IndexByte([]byte(",]} \t\n\r"), text[i]) < 0 {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}
