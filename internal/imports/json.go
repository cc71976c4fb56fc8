// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package imports

import (
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// parseJSON reads one flat object of strings, token by token: that keeps the
// order and shows duplicate keys, and nothing nested is ever built.
func parseJSON(content string) ([]Entry, error) {
	decoder := json.NewDecoder(strings.NewReader(content))
	decoder.UseNumber() // a number too large must not become an error that repeats it
	start, err := decoder.Token()
	if err != nil {
		return nil, invalidJSON(err)
	}
	if start != json.Delim('{') {
		return nil, errorf("JSON content must be an object mapping secret names to string values")
	}
	var entries []Entry
	for decoder.More() {
		e, err := jsonEntry(decoder)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	if _, err := decoder.Token(); err != nil { // the closing brace
		return nil, invalidJSON(err)
	}
	var trailing json.RawMessage
	switch err := decoder.Decode(&trailing); {
	case errors.Is(err, io.EOF):
		return entries, vetted(content)
	case err != nil:
		return nil, invalidJSON(err)
	}
	return nil, errorf("unexpected trailing data after JSON object")
}

func jsonEntry(decoder *json.Decoder) (Entry, error) {
	token, err := decoder.Token()
	if err != nil {
		return Entry{}, invalidJSON(err)
	}
	key, ok := token.(string)
	if !ok { // not reached: the decoder takes only strings for keys
		return Entry{}, errorf("invalid JSON: a key is not a string")
	}
	token, err = decoder.Token()
	if err != nil {
		return Entry{}, invalidJSON(err)
	}
	switch value := token.(type) {
	case string:
		return Entry{Key: key, Value: seal.ValueOf(value)}, nil
	case json.Delim:
		return Entry{}, errorf("value for key %s must be a string, not a nested object or array", quoteKey(key))
	default:
		return Entry{}, errorf("value for key %s must be a string", quoteKey(key))
	}
}

// vetted refuses what the decoder would replace without a word: half of a surrogate
// pair.
func vetted(content string) error {
	if err := typedvalue.VetJSON("invalid JSON", []byte(content), 1); err != nil {
		return errorf("%s", err)
	}
	return nil
}

// invalidJSON says where the file breaks the grammar. A syntax error repeats at most
// the one character where it stopped.
func invalidJSON(err error) error {
	syntax := (*json.SyntaxError)(nil)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errorf("invalid JSON: %s", io.ErrUnexpectedEOF) // the file ends inside the object
	case errors.As(err, &syntax):
		return errorf("invalid JSON: %s", syntax)
	}
	return errorf("invalid JSON")
}
