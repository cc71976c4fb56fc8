// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package leak

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// TestMatcher_AnyNeedlesAndText_FindsWhatContainsFinds tries all small texts against
// needles that overlap, begin and end with each other.
func TestMatcher_AnyNeedlesAndText_FindsWhatContainsFinds(t *testing.T) {
	words := func(longest int) (all [][]byte) {
		all = [][]byte{{}}
		for from := 0; len(all[from]) < longest; from++ {
			for _, b := range "ab" {
				all = append(all, append(bytes.Clone(all[from]), byte(b)))
			}
		}
		return all[1:]
	}
	texts := words(8)
	needles := words(4)
	for i, one := range needles {
		for _, other := range needles[:i+1] {
			m := newMatcher([][]byte{one, other})
			for _, text := range texts {
				if got, want := m.in(text), bytes.Contains(text, one) || bytes.Contains(text, other); got != want {
					t.Fatalf("%s or %s in %s: %t, want %t", one, other, text, got, want)
				}
			}
		}
	}
}

func TestIn_ManyTextsThatUnpack_ShareOneBudget(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(bytes.Repeat([]byte("a "), 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	bomb := base64.StdEncoding.EncodeToString(packed.Bytes())
	f := Of(seal.ValueOf("canary-7741"))
	total := 0
	for range 500 {
		total += len(f.spellings([]byte(bomb)))
	}
	if most := budgetExtra + 500*budgetFactor*len(bomb); total > most {
		t.Errorf("500 texts of %d bytes come to %d, want at most %d", len(bomb), total, most)
	}
	if !Of(seal.ValueOf("canary-7741")).In(base64.StdEncoding.EncodeToString([]byte("x: canary-7741"))) {
		t.Error("a finder that has its budget finds nothing")
	}
	if !f.In("the canary-7741") {
		t.Error("a finder without a budget does not read what is plain")
	}
}

// BenchmarkIn_ManyNeedlesInManyTexts has a value and texts of n parts each: twice n takes
// twice as long.
func BenchmarkIn_ManyNeedlesInManyTexts(b *testing.B) {
	for _, n := range []int{1000, 2000, 4000} {
		leaves, texts := make([]string, n), make([]string, n)
		for i := range n {
			leaves[i], texts[i] = fmt.Sprintf(`"leaf%06d"`, i), fmt.Sprintf("text%06d", i)
		}
		value := seal.ValueOf("[" + strings.Join(leaves, ",") + "]")
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				f := OfJSON(value, nil)
				for _, text := range texts {
					f.In(text)
				}
			}
		})
	}
}
