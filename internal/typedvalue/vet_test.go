// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// What VetJSON lets through, encoding/json reads without losing anything: every
// number fits, and no text turns into another one. Nothing else is refused.
func FuzzVetJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-2.5e3,"x\n\u00e9\ud83d\ude00",null,true]}`, `1e400`, `"\ud800"`, `"\udc00\ud800"`, `"\\ud800"`, `"\ud800\\udc00"`,
		`[[[[]]]]`, `"\ud83d\ud83d\ude00"`, "\"\xff\"", `1E+308`, `-0`, `{"\ud800":1,"\ud801":2}`, `[1e-999]`, `"\uFFFD"`, `{"a":1e400,"a":1}`,
	} {
		f.Add([]byte(seed))
	}
	const maxDepth = 64
	f.Fuzz(func(t *testing.T, text []byte) {
		err := VetJSON("text", text, maxDepth)
		var v any
		readable := json.Unmarshal(text, &v) == nil // numbers as float64
		replaced := readable && strings.ContainsRune(texts(text), '\ufffd')
		meant := bytes.Contains(text, []byte("\ufffd")) || bytes.Contains(bytes.ToLower(text), []byte(`\ufffd`))
		shallow := bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) < maxDepth
		switch {
		case err == nil && !readable:
			t.Error("a text is let through that encoding/json does not read")
		case err == nil && replaced && !meant:
			t.Error("a text is let through in which encoding/json replaces text")
		case err != nil && readable && !replaced && shallow:
			t.Errorf("a text is refused that encoding/json reads as it is: %v", err)
		}
	})
}

// texts joins all keys and texts of a text.
func texts(text []byte) string {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var all strings.Builder
	for {
		token, err := decoder.Token()
		if err != nil {
			return all.String()
		}
		if text, ok := token.(string); ok {
			all.WriteString(text)
		}
	}
}
