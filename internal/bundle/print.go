// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// maxUserValue is the contract's limit for one user secret's value, in bytes.
const maxUserValue = 24576

// maxVariable is Linux's limit for one variable, including its name, the equals sign
// and a final NUL.
const maxVariable = 128 << 10

// Problem is why a value cannot be a variable, whatever the variable's name.
type Problem uint8

// Problems of values. Records contain them, so their numbers must not change.
const (
	// NoProblem means that it can be one.
	NoProblem Problem = iota
	// HasNUL means that it contains a NUL, which would end the variable.
	HasNUL
	// NotText means that it is not UTF-8. The kubelet passes variables as text, and
	// with some kubelets such a variable prevents every container of the namespace from
	// starting.
	NotText
)

// ProblemOf returns the problem of a value.
func ProblemOf(value []byte) Problem {
	switch {
	case bytes.IndexByte(value, 0) >= 0:
		return HasNUL
	case !utf8.Valid(value):
		return NotText
	}
	return NoProblem
}

// variableProblem returns why a value cannot be the variable with this name, or "".
func variableProblem(name string, is Shape) string {
	switch {
	case is.Problem == HasNUL:
		return "the value contains a NUL byte, which no environment variable can hold"
	case is.Problem == NotText:
		return "the value is not UTF-8 text, as an environment variable has to be"
	case len(name)+len("=")+is.Raw >= maxVariable:
		return fmt.Sprintf("with its name it exceeds the %d bytes of an environment variable", maxVariable)
	}
	return ""
}

// Printed is a value in the form in which the bundles have it.
type Printed struct {
	// Entry is the value as a variable and as a file.
	Entry seal.Value
	// Doc is an agent secret's value in the typed document: canonical JSON.
	Doc seal.Value
	// Shape is what the layout needs to know about it.
	Shape Shape
}

// PrintUser prints the value of a user secret, or returns the outcome of an invalid
// value.
func PrintUser(_ Item, v seal.Value) (Printed, *Outcome) {
	if v.Len() > maxUserValue {
		o := failed(v1alpha1.ReasonInvalidValue, fmt.Sprintf("the value exceeds %d bytes: shorten it", maxUserValue))
		return Printed{}, &o
	}
	return Printed{Entry: v, Shape: Shape{Raw: v.Len(), Problem: ProblemOf(v.Reveal())}}, nil
}

// PrintAgent prints the value of an agent secret, or returns the outcome of an invalid
// value.
func PrintAgent(it Item, v seal.Value) (Printed, *Outcome) {
	return printTyped(it, v.Reveal())
}

// ReprintAgent prints a value that was read from a bundle.
func ReprintAgent(it Item, entry seal.Value) (Printed, *Outcome) {
	return printTyped(it, typedvalue.ParseRaw(it.Type, entry.Reveal()))
}

func printTyped(it Item, stored []byte) (Printed, *Outcome) {
	canonical, err := typedvalue.CheckStored(it.Type, stored)
	if err != nil {
		o := failed(v1alpha1.ReasonTypeMismatch, err.Error()+": set a value of the type secretType")
		return Printed{}, &o
	}
	raw := typedvalue.PrintRaw(it.Type, canonical)
	return Printed{
		Entry: seal.NewValue(raw), Doc: seal.NewValue(canonical),
		Shape: Shape{Raw: len(raw), Doc: len(canonical), Problem: ProblemOf(raw)},
	}, nil
}

// DocumentedAs returns the value in the typed document of an entry that PrintAgent or
// ReprintAgent printed.
func DocumentedAs(it Item, entry []byte) []byte { return typedvalue.ParseRaw(it.Type, entry) }

// Document builds the typed document of agent secrets; value returns the value of each. It
// fails only for paths and values that are not canonical.
func Document(ds []*Decision, value func(*Decision) []byte) (seal.Value, error) {
	entries := make([]treeEntry, len(ds))
	for i, d := range ds {
		entries[i] = treeEntry{Path: d.Item.Path, Value: value(d)}
	}
	doc, err := tree(entries)
	if err != nil {
		return seal.Value{}, fmt.Errorf("build %s: %w", TreeKey, err)
	}
	return seal.NewValue(doc), nil
}
