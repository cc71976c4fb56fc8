// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package unseal_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// A token, and the largest value that the documented REST APIs take.
var benchSizes = []int{64, 24 << 10}

func BenchmarkSeal(b *testing.B) {
	public := generate(b).Public()
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			value := seal.NewValue(bytes.Repeat([]byte{'x'}, size))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				sealed, err := seal.Seal(public, object, value)
				if err != nil {
					b.Fatal(err)
				}
				_ = sealed.String()
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	key := generate(b)
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			text := mustSeal(b, key, object, bytes.Repeat([]byte{'x'}, size)).String()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				sealed, err := seal.Parse(text)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := key.Open(object, sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
