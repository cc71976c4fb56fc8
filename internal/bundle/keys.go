// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// TreeKey is the key of the typed document in the agent-files bundle.
const TreeKey = "secrets.json"

// maxKey is the maximum length of a key of a Secret, in bytes.
const maxKey = 253

// UserFileKey returns the key of a user secret in the user-files bundle: its name if
// that can be a key, otherwise a readable form of it and a digest. Names are unique and
// a digest follows a double dash, so keys do not collide unless a user constructs a
// collision among their own names. Then the later object reports it.
func UserFileKey(name string) string { return keyOf(name, name) }

// AgentFileKey returns the key of an agent secret in the agent-files bundle: its file
// with dots instead of slashes.
func AgentFileKey(file string) string {
	plain := strings.ReplaceAll(file, "/", ".")
	if plain == TreeKey || strings.Count(file, ".") > 0 {
		// A dot in a segment would give two files the same key.
		return hashed(plain, file)
	}
	return keyOf(plain, file)
}

func keyOf(plain, whole string) string {
	if isKey(plain) && !strings.Contains(plain, "--") {
		return plain
	}
	return hashed(plain, whole)
}

func hashed(plain, whole string) string {
	var b strings.Builder
	for _, r := range plain {
		if b.Len() >= 200 {
			break
		}
		if isKeyRune(r) {
			b.WriteRune(r)
		} else {
			b.WriteByte('_')
		}
	}
	sum := sha256.Sum256([]byte(whole))
	return strings.TrimLeft(b.String(), ".") + "--" + hex.EncodeToString(sum[:8])
}

// isKey reports whether s can be the key of a Secret and the name of a file.
func isKey(s string) bool {
	if s == "" || len(s) > maxKey || strings.HasPrefix(s, ".") {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !isKeyRune(r) }) < 0
}

func isKeyRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
}
