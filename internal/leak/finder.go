// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package leak

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

const (
	// minBytes is the length from which on a value is looked for, white space left out,
	// and minWord that of one which consists of letters alone. Shorter ones, such as
	// true, 1 and postgres, are in texts that do not mean them.
	minBytes = 8
	minWord  = 16

	// maxText is the longest text whose encodings are read: the API server's limit for all
	// annotations of an object. It refuses what is longer, after admission.
	maxText = 256 << 10

	// fewNeedles is up to how many values a text is read once for each.
	fewNeedles = 8
)

// Finder looks for values in the texts of one object. The nil Finder finds none. It is not
// safe for concurrent use.
type Finder struct {
	needles [][]byte
	// matcher is for many needles. Made when first needed.
	matcher *matcher
	// extra is what the encodings of all texts may still come to above what each may for
	// its length.
	extra int
}

// Of returns a finder of values. It leaves out values that are too short to tell them from
// other text.
func Of(values ...seal.Value) *Finder {
	f := &Finder{}
	seen := map[string]bool{}
	for _, v := range values {
		f.add(seen, v.Reveal())
	}
	return f.orNil()
}

// OfJSON returns a finder of a value that is JSON: of the whole, and of each string and
// number in it that public does not contain.
func OfJSON(value seal.Value, public []byte) *Finder {
	f := &Finder{}
	seen := map[string]bool{}
	leaves(public, func(text string) { seen[text] = true })
	f.add(seen, value.Reveal())
	leaves(value.Reveal(), func(text string) { f.add(seen, []byte(text)) })
	return f.orNil()
}

func (f *Finder) add(seen map[string]bool, value []byte) {
	needle := stripped(value)
	if seen[string(value)] || !recognisable(needle) {
		return
	}
	seen[string(value)] = true
	f.needles = append(f.needles, needle)
}

func (f *Finder) orNil() *Finder {
	if len(f.needles) == 0 {
		return nil
	}
	f.extra = budgetExtra
	return f
}

// recognisable reports whether a text is long enough to be looked for.
func recognisable(needle []byte) bool {
	if len(needle) < minBytes {
		return false
	}
	word := bytes.IndexFunc(needle, func(r rune) bool { return !unicode.IsLetter(r) }) < 0
	return !word || len(needle) >= minWord
}

// In reports whether a text contains one of the values, as it is or in one of the usual
// encodings.
func (f *Finder) In(text string) bool {
	if f == nil || len(text) < minBytes {
		return false
	}
	spelt := stripped([]byte(text))
	if len(text) <= maxText {
		spelt = f.spellings([]byte(text))
	}
	if len(f.needles) <= fewNeedles {
		for _, n := range f.needles {
			if bytes.Contains(spelt, n) {
				return true
			}
		}
		return false
	}
	if f.matcher == nil {
		f.matcher = newMatcher(f.needles)
	}
	return f.matcher.in(spelt)
}

// leaves calls yield for each string and number in JSON. It reads token by token and stops
// at the first text that is not JSON.
func leaves(raw []byte, yield func(string)) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return
		}
		switch token := token.(type) {
		case string:
			yield(token)
		case json.Number:
			yield(token.String())
		}
	}
}

// stripped returns text without white space, because tools add and remove it: at the end of
// a file, before the lines of a block, where lines are folded. Bytes that are not UTF-8 stay.
func stripped(text []byte) []byte {
	const space = " \t\r\n\v\f"
	if !bytes.ContainsAny(text, space) {
		return text
	}
	out := make([]byte, 0, len(text))
	for _, b := range text {
		if strings.IndexByte(space, b) < 0 {
			out = append(out, b)
		}
	}
	return out
}
