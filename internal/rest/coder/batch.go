// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"fmt"
	"strings"

	"github.com/latchkey-dev/latchkey/internal/rules"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// maxFileBytes bounds a secrets file before a parser sees it.
const maxFileBytes = 1 << 20

// The file formats of an import. They are compared as they are.
const (
	formatEnv  = "env"
	formatJSON = "json"
	formatYAML = "yaml"
)

// entry is one key of a secrets file, in file order.
type entry struct {
	key   string
	value seal.Value
	line  int // where the key stands, from 1; 0 in JSON, which has no lines
}

// parseFile reads a secrets file. All its errors are *fileError and none
// repeats a value; keys are repeated, as the names they are. Field rules are
// left to the caller.
func parseFile(format, content string, maxEntries int) ([]entry, error) {
	if len(content) > maxFileBytes {
		return nil, fileErrorf("secrets file exceeds the maximum allowed size of %d bytes", maxFileBytes)
	}
	parse, err := parserOf(format)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(content) == "" {
		return nil, fileErrorf("no secrets found in file")
	}
	entries, err := parse(content)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, fileErrorf("no secrets found in file")
	}
	if len(entries) > maxEntries {
		return nil, fileErrorf("secrets file contains %d secrets, which exceeds the maximum of %d secrets per user",
			len(entries), maxEntries)
	}
	return entries, checkDuplicates(entries)
}

func parserOf(format string) (func(string) ([]entry, error), error) {
	switch format {
	case formatEnv:
		return parseEnv, nil
	case formatJSON:
		return parseJSON, nil
	case formatYAML:
		return parseYAML, nil
	case "":
		return nil, fileErrorf("a secrets file format is required")
	}
	// A long text, or one with the punctuation of a file, is more likely the
	// content than a format: it may hold values.
	if len(format) > 32 || strings.ContainsAny(format, "=:{\n") {
		return nil, fileErrorf("unknown secrets file format, use %q, %q or %q", formatEnv, formatJSON, formatYAML)
	}
	return nil, fileErrorf("unknown secrets file format %q", format)
}

func checkDuplicates(entries []entry) error {
	seen := make(map[string]bool, len(entries))
	for _, e := range entries {
		switch {
		case !seen[e.key]:
			seen[e.key] = true
		case e.line > 0:
			return fileErrorf("duplicate key %s on line %d", quoteKey(e.key), e.line)
		default:
			return fileErrorf("duplicate key %s", quoteKey(e.key))
		}
	}
	return nil
}

// newSecrets makes a secret of every entry. A key that cannot be an environment
// variable is still a name: such a secret is stored without one.
func newSecrets(entries []entry) []NewSecret {
	secrets := make([]NewSecret, len(entries))
	for i, e := range entries {
		secrets[i] = NewSecret{Name: e.key, Value: e.value, Enabled: true}
		if rules.EnvName(e.key) == "" {
			secrets[i].EnvName = e.key
		}
	}
	return secrets
}

// quoteKey quotes a key for a message. One longer than any name is cut: what
// stands there is hardly a name, and messages stay short.
func quoteKey(key string) string {
	if len(key) > rules.MaxNameBytes {
		key = strings.ToValidUTF8(key[:rules.MaxNameBytes], "") + "…"
	}
	return fmt.Sprintf("%q", key)
}

func fileErrorf(format string, args ...any) error {
	return &fileError{detail: fmt.Sprintf(format, args...)}
}
