// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// parseJSON reads one flat object of strings, token by token: that keeps the
// order and shows duplicate keys, and nothing nested is ever built.
func parseJSON(content string) ([]entry, error) {
	decoder := json.NewDecoder(strings.NewReader(content))
	decoder.UseNumber() // a number too large must not become an error that repeats it
	start, err := decoder.Token()
	if err != nil {
		return nil, invalidJSON(err)
	}
	if start != json.Delim('{') {
		return nil, fileErrorf("JSON content must be an object mapping secret names to string values")
	}
	var entries []entry
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
		return entries, nil
	case err != nil:
		return nil, invalidJSON(err)
	}
	return nil, fileErrorf("unexpected trailing data after JSON object")
}

func jsonEntry(decoder *json.Decoder) (entry, error) {
	token, err := decoder.Token()
	if err != nil {
		return entry{}, invalidJSON(err)
	}
	key, ok := token.(string)
	if !ok { // not reached: the decoder takes only strings for keys
		return entry{}, fileErrorf("invalid JSON: a key is not a string")
	}
	token, err = decoder.Token()
	if err != nil {
		return entry{}, invalidJSON(err)
	}
	switch value := token.(type) {
	case string:
		return entry{key: key, value: seal.ValueOf(value)}, nil
	case json.Delim:
		return entry{}, fileErrorf("value for key %s must be a string, not a nested object or array", quoteKey(key))
	default:
		return entry{}, fileErrorf("value for key %s must be a string", quoteKey(key))
	}
}

func invalidJSON(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // the file ends inside the object
	}
	return fileErrorf("invalid JSON: %s", decoderMessage(err))
}
