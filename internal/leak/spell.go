// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package leak

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/url" //nolint:depguard // escapes in text: no network
	"strconv"
	"unicode/utf8"
)

const (
	// maxDepth is how many encodings may enclose each other.
	maxDepth = 4
	// All spellings of a text have at most budgetFactor times its length. Those of all texts
	// of an object may exceed that by budgetExtra in total: a short text can unpack to a long
	// one, and an object can have thousands of texts.
	budgetFactor = 24
	budgetExtra  = 4 << 20
	// minRun is the shortest run of letters that is taken for an encoding.
	minRun = 10
	// maxUnpacked, and the rest of the budget, bound what a compressed text unpacks to.
	maxUnpacked = 1 << 20
)

// speller gathers what a text says in the usual encodings.
type speller struct {
	out    []byte
	budget int
}

// spellings returns a text and everything that it decodes to, without white space, one
// after the other. Over all texts of an object, their length is linear in that of the texts.
func (f *Finder) spellings(text []byte) []byte {
	own := budgetFactor * len(text)
	s := &speller{budget: own + f.extra}
	s.spell(text, maxDepth)
	f.extra = min(f.extra, s.budget)
	return s.out
}

func (s *speller) spell(text []byte, depth int) {
	if len(text) < minBytes || s.budget < len(text) {
		return
	}
	s.budget -= len(text)
	plain := stripped(text)
	s.out = append(append(s.out, plain...), 0)
	if depth == 0 {
		return
	}
	if bytes.IndexByte(text, '\\') >= 0 {
		s.spell(unescaped(text), depth-1)
	}
	if bytes.IndexByte(text, '%') >= 0 {
		if decoded, err := url.PathUnescape(string(text)); err == nil {
			s.spell([]byte(decoded), depth-1)
		}
	}
	s.runs(text, depth)
	if len(plain) < len(text) { // folded into lines
		s.runs(plain, depth)
	}
}

// runs decodes runs of letters as base64 and hexadecimal. Base64 may begin within its run,
// because the text before it can be letters too.
func (s *speller) runs(text []byte, depth int) {
	for len(text) > 0 {
		start := bytes.IndexFunc(text, inBase64)
		if start < 0 {
			return
		}
		end := bytes.IndexFunc(text[start:], func(r rune) bool { return !inBase64(r) })
		if end < 0 {
			end = len(text) - start
		}
		run := text[start : start+end]
		text = text[start+end:]
		if len(run) < minRun {
			continue
		}
		for offset := range 4 {
			s.packed(decodeBase64(run[offset:]), depth-1)
		}
		if decoded, err := hex.DecodeString(string(run[:len(run)&^1])); err == nil {
			s.packed(decoded, depth-1)
		}
	}
}

// packed spells decoded bytes, which may be compressed.
func (s *speller) packed(b []byte, depth int) {
	switch {
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		s.spell(s.gunzip(b), depth)
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		s.spell(s.unzip(b), depth)
	case mostlyText(b):
		s.spell(b, depth)
	default: // what stands before the encoding was decoded too
		s.spell(b, 0)
	}
}

// mostlyText reports whether decoded bytes can be what somebody encoded: base64 that is
// decoded from the wrong letter on is noise.
func mostlyText(b []byte) bool {
	odd := 0
	for rest := b; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError || r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			odd++
		}
		rest = rest[size:]
	}
	return odd*8 <= len(b)
}

func (s *speller) gunzip(b []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	out, _ := io.ReadAll(s.limited(r, 0)) // what could be read is of interest
	return out
}

func (s *speller) unzip(b []byte) []byte {
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil
	}
	var out []byte
	for _, f := range r.File {
		file, err := f.Open()
		if err != nil {
			continue
		}
		part, _ := io.ReadAll(s.limited(file, len(out)))
		_ = file.Close()
		out = append(out, part...)
	}
	return out
}

// limited returns a reader that ends where the budget for unpacking does.
func (s *speller) limited(r io.Reader, unpacked int) io.Reader {
	return io.LimitReader(r, int64(min(maxUnpacked, s.budget)-unpacked))
}

func inBase64(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '+' || r == '/' || r == '-' || r == '_'
}

// decodeBase64 decodes the longest valid beginning, in either alphabet.
func decodeBase64(run []byte) []byte {
	letters := bytes.Map(func(r rune) rune {
		switch r {
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, run)
	if len(letters)%4 == 1 {
		letters = letters[:len(letters)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(letters)))
	n, _ := base64.RawStdEncoding.Decode(out, letters) // what could be read is of interest
	return out[:n]
}

// unescaped resolves the escapes of JSON, YAML and most languages once.
func unescaped(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out = append(out, text[i])
			continue
		}
		i++
		switch c := text[i]; c {
		case 'n', 'r', 't', 'f', 'b':
			out = append(out, ' ')
		case 'u', 'x':
			digits := map[byte]int{'u': 4, 'x': 2}[c]
			if i+digits >= len(text) {
				continue
			}
			code, err := strconv.ParseUint(string(text[i+1:i+1+digits]), 16, 32)
			if err != nil {
				continue
			}
			out = utf8.AppendRune(out, rune(code)) //nolint:gosec // four digits at most
			i += digits
		default:
			out = append(out, c)
		}
	}
	return out
}
