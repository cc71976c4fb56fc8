// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxBodyDepth lets through the deepest type there is (three levels of JSON for
// each of its own) and ends what nests for its own sake.
const maxBodyDepth = 512

// vet refuses a body that is no JSON text, or one that encoding/json would
// change without a word: a string that is no Unicode text, a number that no
// float64 holds. That goes for all of the body, members that are ignored
// included. The error names the place; it never quotes the body.
func vet(body []byte) error {
	if !utf8.Valid(body) {
		return errors.New("body: not valid UTF-8")
	}
	if !json.Valid(body) {
		if syntax := (*json.SyntaxError)(nil); errors.As(json.Unmarshal(body, new(json.RawMessage)), &syntax) {
			return fmt.Errorf("body: not valid JSON at byte %d", syntax.Offset)
		}
		return errors.New("body: not valid JSON")
	}
	depth := 0
	for i := 0; i < len(body); {
		next := i + 1
		switch c := body[i]; {
		case c == '"':
			var paired bool
			if next, paired = skipString(body, next); !paired {
				return fmt.Errorf("body: half of a surrogate pair in the string that begins at byte %d", i+1)
			}
		case c == '{' || c == '[':
			if depth++; depth > maxBodyDepth {
				return fmt.Errorf("body: nested deeper than %d levels", maxBodyDepth)
			}
		case c == '}' || c == ']':
			depth--
		case c == '-' || '0' <= c && c <= '9':
			next = skipNumber(body, next)
			if !inRange(body[i:next]) {
				return fmt.Errorf("body: number out of range at byte %d", i+1)
			}
		}
		i = next
	}
	return nil
}

// skipString returns the index after the string whose content begins at i, and
// whether all its escaped surrogates come in pairs. The text is valid JSON.
func skipString(text []byte, i int) (next int, paired bool) {
	paired = true
	for text[i] != '"' {
		switch {
		case text[i] != '\\':
			i++
		case text[i+1] != 'u':
			i += 2
		default:
			unit := escapedUnit(text[i:])
			i += 6
			if !utf16.IsSurrogate(unit) {
				continue
			}
			if utf16.DecodeRune(unit, escapedUnit(text[i:])) == utf8.RuneError {
				paired = false
				continue
			}
			i += 6
		}
	}
	return i + 1, paired
}

// escapedUnit returns the code unit of the \uXXXX that text begins with, or -1.
func escapedUnit(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(unit)
}

// skipNumber returns the index after the number that goes on at i.
func skipNumber(text []byte, i int) int {
	for i < len(text) && strings.IndexByte("+-.0123456789eE", text[i]) >= 0 {
		i++
	}
	return i
}

// inRange says whether a float64 holds a number. Without an
// exponent it takes more than 300 digits to leave the range.
func inRange(number []byte) bool {
	if len(number) <= 300 && bytes.IndexByte(number, 'e') < 0 && bytes.IndexByte(number, 'E') < 0 {
		return true
	}
	_, err := strconv.ParseFloat(string(number), 64)
	return err == nil
}
