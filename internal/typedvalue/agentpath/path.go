// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package agentpath

import (
	"errors"
	"fmt"
)

const (
	// MaxSegments is how many segments a path has at most.
	MaxSegments = 16
	// MaxSegmentBytes is the length of the longest canonical segment.
	MaxSegmentBytes = 128
)

// Canonical brings a path into the form in which it is stored, compared
// and answered. The conversion is not idempotent (x_y_z becomes xYZ, xYZ
// becomes xYz): a path is converted once, when its secret is created. What is
// stored already is checked with IsCanonical.
//
// Unlike the contract's reference, it refuses a path without segments or with more than
// MaxSegments, and a segment whose canonical form is empty or longer than
// MaxSegmentBytes.
func Canonical(segments []string) ([]string, error) {
	if len(segments) == 0 || len(segments) > MaxSegments {
		return nil, fmt.Errorf("path: expected 1 to %d segments", MaxSegments)
	}
	path := make([]string, len(segments))
	for i, segment := range segments {
		path[i] = CanonicalSegment(segment)
		if err := checkSegment(path[i]); err != nil {
			return nil, fmt.Errorf("path[%d]: %w", i, err)
		}
	}
	return path, nil
}

// CheckCanonical refuses a path that Canonical cannot have returned,
// such as one that was written into an object by hand.
func CheckCanonical(path []string) error {
	if len(path) == 0 || len(path) > MaxSegments {
		return fmt.Errorf("path: expected 1 to %d segments", MaxSegments)
	}
	for i, segment := range path {
		if err := checkSegment(segment); err != nil {
			return fmt.Errorf("path[%d]: %w", i, err)
		}
		if !IsCanonical(segment) {
			return fmt.Errorf("path[%d]: expected lower camel case, such as apiKey", i)
		}
	}
	return nil
}

func checkSegment(segment string) error {
	switch {
	case segment == "":
		return errors.New("expected a segment with a letter or a digit")
	case len(segment) > MaxSegmentBytes:
		return fmt.Errorf("expected at most %d bytes in lower camel case", MaxSegmentBytes)
	}
	return nil
}

// CanonicalSegment converts one segment to lower camel case by the rules of
// the contract, without any bounds. It returns "" if there is no letter and no
// digit in it.
func CanonicalSegment(segment string) string {
	out := make([]byte, 0, len(segment))
	runes := []rune(segment)
	for len(runes) > 0 {
		end := 0
		for end < len(runes) && isAlphanumeric(runes[end]) {
			end++
		}
		for start := 0; start < end; {
			word := runes[start : start+wordLength(runes[start:end])]
			out = appendWord(out, word)
			start += len(word)
		}
		runes = runes[min(end+1, len(runes)):]
	}
	return string(out)
}

// wordLength returns how long the first word of a piece is. The mode is that
// of the cased character last seen in the word.
func wordLength(piece []rune) int {
	const (
		boundary = iota
		lower
		upper
	)
	mode := boundary
	for i := 0; i+1 < len(piece); i++ {
		c, following := piece[i], piece[i+1]
		next := mode
		switch {
		case isLower(c):
			next = lower
		case isUpper(c):
			next = upper
		}
		if next == lower && isUpper(following) {
			return i + 1
		}
		if mode == upper && isUpper(c) && isLower(following) {
			return i
		}
		mode = next
	}
	return len(piece)
}

// appendWord adds a word: lower-cased if it is the first, else with a capital.
func appendWord(out []byte, word []rune) []byte {
	if len(out) > 0 {
		out = appendUpper(out, word[0])
		word = word[1:]
	}
	for i, c := range word {
		if c == 'Σ' && i == len(word)-1 {
			c = 'ς'
		}
		out = appendLower(out, c)
	}
	return out
}
