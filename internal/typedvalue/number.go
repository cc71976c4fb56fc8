// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// number is a JSON number as the contract reads it: an integer literal that
// fits uint64 or int64 stays exact, everything else, and -0, is a float64.
type number struct {
	class    numberClass
	positive uint64  // classUnsigned
	negative int64   // classSigned, below zero
	float    float64 // classFloat
}

type numberClass uint8

const (
	classUnsigned numberClass = iota
	classSigned
	classFloat
)

// readNumber reads a number that decode has let through, so it is within the
// range of float64.
func readNumber(literal json.Number) number {
	text := literal.String()
	if !strings.ContainsAny(text, ".eE") {
		if u, err := strconv.ParseUint(text, 10, 64); err == nil {
			return number{class: classUnsigned, positive: u}
		}
		if i, err := strconv.ParseInt(text, 10, 64); err == nil && i != 0 {
			return number{class: classSigned, negative: i}
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		f = math.NaN() // within no range
	}
	return number{class: classFloat, float: f}
}

// rounded reports whether a number for a U64 may have been another one before the
// Kubernetes API read it: there, an integer beyond int64 becomes the nearest float64.
// Other types have no such numbers.
func (n number) rounded() bool {
	return n.class == classUnsigned && n.positive > math.MaxInt64 || n.class == classFloat && math.Abs(n.float) >= 1<<53
}

// isInteger reports whether text is a decimal integer in canonical form: no plus sign and
// no leading zero.
func isInteger(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || digits == "0" && digits != text || digits[0] == '0' && len(digits) > 1 || len(digits) > 20 {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// text is the number as the contract's reference writes it. A flag's name is compared
// with it.
func (n number) text() string {
	switch n.class {
	case classUnsigned:
		return strconv.FormatUint(n.positive, 10)
	case classSigned:
		return strconv.FormatInt(n.negative, 10)
	default:
		return string(appendFloat(nil, n.float))
	}
}

// intRange is the range of an integer type but U64.
type intRange struct {
	min  int64
	max  uint64
	what string
}

var intRanges = [kindCount]intRange{
	kindS8:  {math.MinInt8, math.MaxInt8, "s8 in -128 to 127"},
	kindS16: {math.MinInt16, math.MaxInt16, "s16 in -32768 to 32767"},
	kindS32: {math.MinInt32, math.MaxInt32, "s32 in -2147483648 to 2147483647"},
	kindS64: {math.MinInt64, math.MaxInt64, "s64 in -9223372036854775808 to 9223372036854775807"},
	kindU8:  {0, math.MaxUint8, "u8 in 0 to 255"},
	kindU16: {0, math.MaxUint16, "u16 in 0 to 65535"},
	kindU32: {0, math.MaxUint32, "u32 in 0 to 4294967295"},
}

// integer returns n truncated toward zero, if n itself is in range.
//
// A float64 stands for its shortest decimal, as in the contract's reference,
// which goes through decimal text. That matters beyond 2^53 only: the float64
// nearest to 2^63 is 9223372036854776000 there. Below 2^53, every integer is a
// float64, so comparing the floats gives the same result.
func (r intRange) integer(n number) (int64, bool) {
	switch n.class {
	case classUnsigned:
		if n.positive > r.max {
			return 0, false
		}
		return int64(n.positive), true //nolint:gosec // r.max is an int64's at most
	case classSigned:
		return n.negative, n.negative >= r.min
	}
	if !(n.float >= float64(r.min) && n.float <= float64(r.max)) {
		return 0, false
	}
	whole, _, _ := strings.Cut(strconv.FormatFloat(n.float, 'f', -1, 64), ".")
	i, err := strconv.ParseInt(whole, 10, 64)
	return i, err == nil
}

// float64 returns the nearest float64.
func (n number) float64() float64 {
	switch n.class {
	case classUnsigned:
		return float64(n.positive)
	case classSigned:
		return float64(n.negative)
	default:
		return n.float
	}
}

// float32 returns the nearest float32, if n is in range.
//
// The contract includes the largest float32 in the range, but the shortest decimal of its
// float64 is a little larger and so is outside. Only a stored value, which was printed
// from a float32, may be the largest one.
func (n number) float32(stored bool) (float32, bool) {
	switch n.class {
	case classUnsigned:
		return float32(n.positive), true
	case classSigned:
		return float32(n.negative), true
	}
	size := math.Abs(n.float)
	inRange := size < math.MaxFloat32 || stored && size == math.MaxFloat32
	return float32(n.float), inRange
}
