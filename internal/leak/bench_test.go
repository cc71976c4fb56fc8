// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package leak_test

import (
	"strings"
	"testing"

	"github.com/latchkey-dev/latchkey/internal/leak"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// The largest annotations that the API server takes.
func BenchmarkIn(b *testing.B) {
	for name, text := range map[string]string{
		"words":  strings.Repeat("some words of a text, ", 12000),
		"base64": strings.Repeat("QUFB", 64<<10),
		"small":  `{"apiVersion":"v1","kind":"X","metadata":{"name":"a"}}`,
	} {
		b.Run(name, func(b *testing.B) {
			f := leak.Of(seal.ValueOf(canary))
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				f.In(text)
			}
		})
	}
}
