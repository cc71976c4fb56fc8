// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// A budget nobody counts: the Kubernetes API escapes what JSON need not escape, so what is
// stored is longer than what was sent. One type that cannot be read again would take the
// list of its environment with it.
func TestParseStoredType_EscapedByTheKubernetesAPI_IsReadAgain(t *testing.T) {
	enum := func(text string) string {
		quoted := string(AppendQuoted(nil, text))
		return `{"type":"Enum","cases":[` + quoted + `]}`
	}
	fill := func(unit string, room int) string { return strings.Repeat(unit, room/len(AppendQuoted(nil, unit)[2:])) }
	const room = MaxTypeBytes - 64
	for name, text := range map[string]string{
		"signs of HTML":                        fill("<>&", room),
		"ends of lines of JavaScript":          fill("\u2028\u2029", room),
		"what looks like an escape and is not": fill(`\u003c`, room),
		"a backslash before a sign of HTML":    fill(`\<`, room),
		"control characters":                   fill("\x01", room),
	} {
		t.Run(name, func(t *testing.T) {
			typ, err := ParseType([]byte(enum(text)))
			if err != nil {
				t.Fatal(err)
			}
			stored, err := typ.MarshalStored()
			if err != nil {
				t.Fatal(err)
			}
			var kept bytes.Buffer
			json.HTMLEscape(&kept, stored)
			back, err := ParseStoredType(kept.Bytes())
			if err != nil {
				t.Fatalf("%d bytes, stored as %d, are not read again: %v", len(enum(text)), kept.Len(), err)
			}
			was, err := typ.Canonical()
			if err != nil {
				t.Fatal(err)
			}
			if is, err := back.Canonical(); err != nil || is != was {
				t.Errorf("it is another type now: %v", err)
			}
		})
	}
	t.Run("what is too long by itself is refused, however it is escaped", func(t *testing.T) {
		for _, unit := range []string{"a", "<", `\u003c`} {
			var sent bytes.Buffer
			json.HTMLEscape(&sent, []byte(enum(fill(unit, 2*MaxTypeBytes))))
			if _, err := ParseStoredType(sent.Bytes()); err == nil {
				t.Errorf("%d bytes of %q are read", sent.Len(), unit)
			}
		}
	})
}
