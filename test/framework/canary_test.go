// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestCanaryForms_AValueInAnyForm_IsFound(t *testing.T) {
	const value = `p4ss<word>&"quoted"\é`
	inJSON, err := json.Marshal(map[string]string{"key": value})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		content string
		want    bool
	}{
		"as it is":                         {"\x0a\x12" + value + "\x1a", true},
		"in JSON":                          {string(inJSON), true},
		"in JSON without HTML escapes":     {`{"key":"p4ss<word>&\"quoted\"\\é"}`, true},
		"in base64":                        {base64.StdEncoding.EncodeToString([]byte(value)), true},
		"in base64 after one byte":         {base64.StdEncoding.EncodeToString([]byte("x" + value + "yz")), true},
		"in base64 after two bytes":        {base64.StdEncoding.EncodeToString([]byte("xy" + value + "z")), true},
		"in base64 after many bytes":       {base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 100) + value)), true},
		"in base64 for addresses":          {base64.RawURLEncoding.EncodeToString([]byte("k=" + value + "&")), true},
		"in JSON that is in base64":        {base64.StdEncoding.EncodeToString([]byte(`{"v":"` + value + `"}`)), true},
		"half of it is not it":             {value[:10], false},
		"another value's base64 is not it": {base64.StdEncoding.EncodeToString([]byte("something else entirely")), false},
	} {
		found := func(form []byte) bool { return bytes.Contains([]byte(tt.content), form) }
		if got := slices.ContainsFunc(CanaryForms(value), found); got != tt.want {
			t.Errorf("%s: found: %t, want %t", name, got, tt.want)
		}
	}
}
