// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// decode reads one JSON text with its numbers as they are written. Of a
// repeated key the last wins. what names the text in errors.
//
// encoding/json silently replaces bytes that are not Unicode text with U+FFFD. A secret
// must never be changed silently, so VetJSON refuses such a text.
func decode(what string, text []byte, maxBytes, maxDepth int) (any, error) {
	if len(text) > maxBytes {
		return nil, fmt.Errorf("%s: longer than %d bytes", what, maxBytes)
	}
	if err := VetJSON(what, text, maxDepth); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, syntaxError(what, text)
	}
	return v, nil
}

// VetJSON refuses a text that is not exactly one JSON text, and one that encoding/json
// would silently change: a string that is not Unicode text, a number beyond float64. It
// checks all of the text, with members that nobody reads. It also refuses nesting beyond
// maxDepth levels. The error begins with what, names the place and never quotes the text.
func VetJSON(what string, text []byte, maxDepth int) error {
	if !utf8.Valid(text) {
		return fmt.Errorf("%s: not valid UTF-8", what)
	}
	if !json.Valid(text) {
		return syntaxError(what, text)
	}
	if err := vet(text, maxDepth); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// syntaxError names the place of the first error. The decoder's own message
// would quote the text.
func syntaxError(what string, text []byte) error {
	var syntax *json.SyntaxError
	if err := json.Unmarshal(text, new(json.RawMessage)); errors.As(err, &syntax) {
		return fmt.Errorf("%s: not valid JSON at byte %d", what, syntax.Offset)
	}
	return fmt.Errorf("%s: not valid JSON", what)
}

// vet refuses what JSON's grammar allows: nesting beyond maxDepth, an escape that is
// half of a surrogate pair, a number beyond float64. The text is valid JSON, so the first
// byte of a token determines its kind.
func vet(text []byte, maxDepth int) error {
	depth := 0
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			end, err := vetString(text, i+1)
			if err != nil {
				return err
			}
			i = end
			continue
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("nested deeper than %d levels", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		case c == '-' || '0' <= c && c <= '9':
			end, err := vetNumber(text, i)
			if err != nil {
				return err
			}
			i = end
			continue
		}
		i++
	}
	return nil
}

// vetString returns the index after the string whose content starts at i.
func vetString(text []byte, i int) (int, error) {
	for text[i] != '"' {
		switch {
		case text[i] != '\\':
			i++
		case text[i+1] != 'u':
			i += 2
		case !utf16.IsSurrogate(escaped(text, i)):
			i += 6
		default:
			low := rune(-1)
			if text[i+6] == '\\' && text[i+7] == 'u' {
				low = escaped(text, i+6)
			}
			if utf16.DecodeRune(escaped(text, i), low) == utf8.RuneError {
				return 0, fmt.Errorf("half of a surrogate pair in a string, at byte %d", i+1)
			}
			i += 12
		}
	}
	return i + 1, nil
}

// escaped returns the code unit of the \uXXXX at i.
func escaped(text []byte, i int) rune {
	unit, err := strconv.ParseUint(string(text[i+2:i+6]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(unit)
}

// vetNumber returns the index after the number that starts at i.
func vetNumber(text []byte, i int) (int, error) {
	end := i
	long := false
	for end < len(text) && bytes.IndexByte([]byte("+-.0123456789eE"), text[end]) >= 0 {
		long = long || text[end]|0x20 == 'e' || end-i > 300
		end++
	}
	if long {
		if _, err := strconv.ParseFloat(string(text[i:end]), 64); err != nil {
			return 0, fmt.Errorf("number out of range at byte %d", i+1)
		}
	}
	return end, nil
}
