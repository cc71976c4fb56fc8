// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"errors"
	"fmt"
	"strings"
)

const (
	// MaxValueBytes is the size of the largest JSON text of a value that is read or
	// printed: a type can turn a short value into a long one.
	MaxValueBytes = 1 << 20

	// maxValueDepth is twice the depth that a type can describe. Only ignored members
	// can be deeper.
	maxValueDepth = 2 * MaxNesting

	// maxProblems bounds the message about a value that is wrong everywhere.
	maxProblems = 32

	// maxWork bounds the checks of one value: a small type can need thousands of
	// them per byte.
	maxWork = 4 << 20
)

// MismatchError says why a value is not of its type.
type MismatchError struct {
	// Problems are in the order of the value and hold no part of it. Where the
	// contract's reference has a wording without the value, it is that one.
	Problems []string
}

// Error joins the problems as the contract's answer does.
func (e *MismatchError) Error() string {
	return "value does not match type: [" + strings.Join(e.Problems, ", ") + "]"
}

// Check reads one JSON value, checks it against t and returns it as canonical
// JSON: compact, fields in the order of the type, integers exact, floats
// always with a point or an exponent. A value of another type is a
// *MismatchError; any other error is about the JSON text.
//
// The contract leaves three things open. Here, a Variant with several keys is
// refused; if a Variant's cases or a Record's fields repeat a name, the last one
// decides what is printed; and a resource id may start with a plus sign.
//
// A U64 or an S64 may also be a string of its decimal digits.
func Check(t *Type, value []byte) ([]byte, error) {
	return check(t, value, fromRequest)
}

// CheckManifest is Check for a value that came through the Kubernetes API, which reads an
// integer beyond int64 as a float64 and so may change it. Such a number is refused; a
// string of digits arrives unchanged.
func CheckManifest(t *Type, value []byte) ([]byte, error) {
	return check(t, value, fromManifest)
}

// CheckStored checks a value that Check has printed, and prints the same
// again. Check itself refuses its own output in two corners: the largest F32,
// and a Record whose repeated field names have types that print differently.
func CheckStored(t *Type, canonical []byte) ([]byte, error) {
	return check(t, canonical, fromStore)
}

// provenance is where a value comes from.
type provenance uint8

const (
	fromRequest provenance = iota
	fromManifest
	fromStore
)

func check(t *Type, value []byte, from provenance) ([]byte, error) {
	if t == nil || t.kind == kindNone {
		return nil, errNoType
	}
	v, err := decode("value", value, MaxValueBytes, maxValueDepth)
	if err != nil {
		return nil, err
	}
	c := checker{stored: from == fromStore, manifest: from == fromManifest, work: maxWork, out: make([]byte, 0, len(value)+16)}
	c.value(t, v)
	c.spend(0)
	switch {
	case c.err != nil:
		return nil, c.err
	case len(c.problems) > maxProblems:
		return nil, &MismatchError{Problems: append(c.problems[:maxProblems], "further problems are not listed")}
	case len(c.problems) > 0:
		return nil, &MismatchError{Problems: c.problems}
	}
	return c.out, nil
}

// checker checks and prints in one pass. After the first problem, it goes on only to
// find further problems, and its output is not used.
type checker struct {
	stored   bool
	manifest bool
	work     int
	out      []byte
	problems []string
	err      error // the value is too large, whatever its type
}

// spend accounts for work and output and reports whether to go on.
func (c *checker) spend(work int) bool {
	c.work -= work
	switch {
	case c.err != nil:
	case c.work < 0:
		c.err = errors.New("value: takes too many checks against its type")
	case len(c.out) > MaxValueBytes:
		c.err = fmt.Errorf("value: longer than %d bytes when printed", MaxValueBytes)
	}
	return c.err == nil && len(c.problems) <= maxProblems
}

func (c *checker) problem(text string) { c.problems = append(c.problems, text) }

// mismatch reports that v is of the wrong kind.
func (c *checker) mismatch(expected string, v any) {
	c.problem("expected " + expected + ", found " + describe(v))
}

func (c *checker) print(text string) { c.out = append(c.out, text...) }

func (c *checker) comma(i int) {
	if i > 0 {
		c.out = append(c.out, ',')
	}
}

func (c *checker) value(t *Type, v any) {
	if !c.spend(1) {
		return
	}
	switch t.kind {
	case kindOption:
		if v == nil {
			c.print("null")
			return
		}
		c.value(t.inner, v)
	case kindList:
		c.list(t, v)
	case kindTuple:
		c.tuple(t, v)
	case kindRecord:
		c.record(t, v)
	case kindVariant:
		c.variant(t, v)
	case kindResult:
		c.result(t, v)
	case kindFlags:
		c.flags(t, v)
	default:
		c.scalar(t, v)
	}
}

// describe names the kind of a JSON value in the words of the reference.
func describe(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "list"
	case map[string]any:
		return "record"
	default:
		return "number"
	}
}
