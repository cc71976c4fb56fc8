// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package imports

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/latchkey-dev/latchkey/internal/policy/rules"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// maxBytes bounds a file before a parser sees it.
const maxBytes = 1 << 20

// The formats. They are compared as they are.
const (
	Env  = "env"
	JSON = "json"
	YAML = "yaml"
)

// Entry is one key of a file.
type Entry struct {
	// Key becomes the name of a secret.
	Key string
	// Value is the secret itself.
	Value seal.Value
	// Line is where the key stands, from 1; 0 in JSON, which has no lines.
	Line int
}

// EnvName returns the environment variable that the entry's secret gets: its key, or
// "" where that cannot be one. Such a secret is stored all the same.
func (e Entry) EnvName() string {
	if rules.EnvName(e.Key) != "" {
		return ""
	}
	return e.Key
}

// Error says why a file cannot be imported.
type Error struct {
	// Detail is a sentence for the person who sent the file.
	Detail string
}

// Error implements error.
func (e *Error) Error() string { return "malformed secrets file: " + e.Detail }

func errorf(format string, args ...any) error {
	return &Error{Detail: fmt.Sprintf(format, args...)}
}

// Parse reads a file of at most maxEntries keys. All its errors are *Error.
func Parse(format, content string, maxEntries int) ([]Entry, error) {
	if len(content) > maxBytes {
		return nil, errorf("secrets file exceeds the maximum allowed size of %d bytes", maxBytes)
	}
	parse, err := parserOf(format)
	if err != nil {
		return nil, err
	}
	if content, err = plain(content); err != nil {
		return nil, err
	}
	if strings.TrimSpace(content) == "" {
		return nil, errorf("no secrets found in file")
	}
	entries, err := parse(content)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, errorf("no secrets found in file")
	}
	if len(entries) > maxEntries {
		return nil, errorf("secrets file contains %d secrets, which exceeds the maximum of %d secrets per user",
			len(entries), maxEntries)
	}
	return entries, checkDuplicates(entries)
}

func parserOf(format string) (func(string) ([]Entry, error), error) {
	switch format {
	case Env:
		return parseEnv, nil
	case JSON:
		return parseJSON, nil
	case YAML:
		return parseYAML, nil
	case "":
		return nil, errorf("a secrets file format is required")
	}
	// A long text, or one with the punctuation of a file, is more likely the
	// content than a format: it may hold values.
	if len(format) > 32 || strings.ContainsAny(format, "=:{\n") {
		return nil, errorf("unknown secrets file format, use %q, %q or %q", Env, JSON, YAML)
	}
	return nil, errorf("unknown secrets file format %q", format)
}

// bom is what some editors put before a text.
const bom = "\ufeff"

// lineEnds turns the ends of lines that there are into the one that parsers know.
// No format can hold a carriage return of a value as it is: a value of env ends with
// its line, JSON allows it as an escape alone, and YAML takes it for the end of a line.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// plain removes what editors and systems add to a text without the author's intention:
// one byte order mark at the start, and other line endings. It refuses text that is not
// UTF-8, because its values would differ from those that its author sees.
func plain(content string) (string, error) {
	if isUTF16(content) {
		return "", errorf("secrets file is not UTF-8 text; it looks like UTF-16: save it as UTF-8")
	}
	if !utf8.ValidString(content) {
		return "", errorf("secrets file is not UTF-8 text: save it as UTF-8")
	}
	return lineEnds.Replace(strings.TrimPrefix(content, bom)), nil
}

// isUTF16 reports whether content is, or was made of, a text in UTF-16. Its byte
// order mark is no UTF-8, so a client that puts such a file into JSON turns each of
// the two bytes into U+FFFD. Without the mark, the first or the second byte of a text
// that begins with ASCII is null, which no key and no format allows.
func isUTF16(content string) bool {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff", "\ufffd\ufffd", "\ufffe"} {
		if strings.HasPrefix(content, mark) {
			return true
		}
	}
	return len(content) > 1 && (content[0] == 0) != (content[1] == 0)
}

func checkDuplicates(entries []Entry) error {
	seen := make(map[string]bool, len(entries))
	for _, e := range entries {
		switch {
		case !seen[e.Key]:
			seen[e.Key] = true
		case e.Line > 0:
			return errorf("duplicate key %s on line %d", quoteKey(e.Key), e.Line)
		default:
			return errorf("duplicate key %s", quoteKey(e.Key))
		}
	}
	return nil
}

// quoteKey quotes a key for a message. One longer than any name is cut: what
// stands there is hardly a name, and messages stay short.
func quoteKey(key string) string {
	if len(key) > rules.MaxNameBytes {
		key = strings.ToValidUTF8(key[:rules.MaxNameBytes], "") + "…"
	}
	return fmt.Sprintf("%q", key)
}
