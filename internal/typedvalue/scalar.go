// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scalar checks a value that contains no other value.
func (c *checker) scalar(t *Type, v any) {
	switch t.kind {
	case kindBool:
		if b, ok := v.(bool); ok {
			c.out = strconv.AppendBool(c.out, b)
			return
		}
		c.mismatch("bool", v)
	case kindStr:
		if text, ok := v.(string); ok {
			c.out = AppendQuoted(c.out, text)
			return
		}
		c.mismatch("string", v)
	case kindEnum:
		c.enum(t, v)
	case kindHandle:
		c.handle(v)
	default:
		c.number(t.kind, v)
	}
}

func (c *checker) number(k kind, v any) {
	literal, ok := v.(json.Number)
	if digits, is := v.(string); is && (k == kindU64 || k == kindS64) && isInteger(digits) {
		c.integer(k, readNumber(json.Number(digits)))
		return
	}
	if !ok {
		switch k {
		case kindChr:
			c.mismatch("char", v)
		case kindU64:
			c.mismatch("u64", v)
		default:
			c.mismatch("number", v)
		}
		return
	}
	n := readNumber(literal)
	switch k {
	case kindChr:
		c.char(n)
	case kindF32:
		f, ok := n.float32(c.stored)
		if !ok {
			c.problem("expected f32 in -340282346638528859811704183484516925440 to 340282346638528859811704183484516925440")
			return
		}
		c.float(float64(f))
	case kindF64:
		c.float(n.float64())
	default:
		if k == kindU64 && c.manifest && n.rounded() {
			c.problem("expected a number that the Kubernetes API does not round: write it as a string of digits")
			return
		}
		c.integer(k, n)
	}
}

// integer prints a number of an integer type.
func (c *checker) integer(k kind, n number) {
	if k == kindU64 {
		if n.class != classUnsigned {
			c.problem("expected u64 in 0 to 18446744073709551615, written without point and exponent, or as a string of digits")
			return
		}
		c.out = strconv.AppendUint(c.out, n.positive, 10)
		return
	}
	i, ok := intRanges[k].integer(n)
	if !ok {
		c.problem("expected " + intRanges[k].what)
		return
	}
	c.out = strconv.AppendInt(c.out, i, 10)
}

// float prints zero without a sign: the reference goes through a decimal type
// that has no negative zero.
func (c *checker) float(f float64) {
	if f == 0 {
		f = 0
	}
	c.out = appendFloat(c.out, f)
}

func (c *checker) char(n number) {
	switch {
	case n.class != classUnsigned:
		c.problem("expected char, found number")
	case n.positive > utf8.MaxRune || !utf8.ValidRune(rune(n.positive)):
		c.problem("expected char: a Unicode scalar value as a number")
	default:
		c.out = strconv.AppendUint(c.out, n.positive, 10)
	}
}

func (c *checker) enum(t *Type, v any) {
	label, ok := v.(string)
	if !ok {
		c.mismatch("enum, represented by a string", v)
		return
	}
	if _, known := t.position[label]; !known {
		c.problem("expected one of the cases of the enum")
		return
	}
	c.out = AppendQuoted(c.out, label)
}

// handle checks a string that ends in a slash and a u64. The value does not say of
// which resource it is or how it is held.
func (c *checker) handle(v any) {
	const expected = "handle, represented by a worker-url/resource-id string"
	text, ok := v.(string)
	if !ok {
		c.mismatch(expected, v)
		return
	}
	slash := strings.LastIndexByte(text, '/')
	if slash < 0 {
		c.problem("expected " + expected)
		return
	}
	digits := text[slash+1:]
	id, err := strconv.ParseUint(strings.TrimPrefix(digits, "+"), 10, 64)
	if err != nil {
		reason := "invalid digit found in string"
		switch {
		case digits == "":
			reason = "cannot parse integer from empty string"
		case errors.Is(err, strconv.ErrRange):
			reason = "number too large to fit in target type"
		}
		c.problem("Failed to parse resource-id section of the handle value: " + reason)
		return
	}
	c.out = AppendQuoted(c.out, text[:slash+1]+strconv.FormatUint(id, 10))
}
