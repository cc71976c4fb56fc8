// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package imports

import (
	"strings"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// parseEnv reads lines of KEY=VALUE. Values end with their line, and nothing in
// them is expanded.
func parseEnv(content string) ([]Entry, error) {
	var entries []Entry
	number := 0
	for line := range strings.SplitSeq(content, "\n") {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, rest, found := strings.Cut(withoutExport(line), "=")
		if !found {
			return nil, errorf("line %d: expected KEY=VALUE but found no '='", number)
		}
		key = strings.TrimSpace(key)
		if key == "" {
			return nil, errorf("line %d: missing key before '='", number)
		}
		value, problem := envValue(strings.TrimSpace(rest))
		if problem != "" {
			return nil, errorf("line %d: %s", number, problem)
		}
		entries = append(entries, Entry{Key: key, Value: seal.ValueOf(value), Line: number})
	}
	return entries, nil
}

// withoutExport drops the shell's keyword. Only a blank after it makes it one:
// exportFOO and export are keys.
func withoutExport(line string) string {
	rest, found := strings.CutPrefix(line, "export")
	if found && rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
		return rest
	}
	return line
}

// envValue reads what stands after the '=', trimmed. The problem, if there is
// one, repeats nothing of it.
func envValue(text string) (value, problem string) {
	var rest string
	var closed bool
	quote := "double"
	switch {
	case strings.HasPrefix(text, `"`):
		value, rest, closed = unquoteDouble(text[1:])
	case strings.HasPrefix(text, "'"):
		quote = "single"
		value, rest, closed = strings.Cut(text[1:], "'")
	default:
		return text, ""
	}
	if !closed {
		return "", "missing closing " + quote + " quote"
	}
	if strings.TrimSpace(rest) != "" {
		return "", "unexpected data after closing " + quote + " quote"
	}
	return value, ""
}

// unquoteDouble reads up to the closing double quote and returns what follows
// it. An escape that it does not know stays as written.
func unquoteDouble(text string) (value, rest string, closed bool) {
	escapes := map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', '\\': '\\', '"': '"'}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return out.String(), text[i+1:], true
		case c == '\\' && i+1 < len(text):
			i++
			if known, ok := escapes[text[i]]; ok {
				out.WriteByte(known)
			} else {
				out.WriteString(text[i-1 : i+1])
			}
		default:
			out.WriteByte(c)
		}
	}
	return "", "", false
}
