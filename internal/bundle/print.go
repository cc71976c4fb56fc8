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

// maxVariable is what Linux lets one variable have, its name, the equals sign and a
// final NUL included.
const maxVariable = 128 << 10

// Problem says why a value can be no variable, whatever the variable's name.
type Problem uint8

// Problems of values. They are stored in records: their numbers do not change.
const (
	// NoProblem: it can be one.
	NoProblem Problem = iota
	// HasNUL: a NUL ends a variable.
	HasNUL
	// NotText: the kubelet hands variables over as text, and one that is not UTF-8 keeps
	// every container of the namespace from starting with some kubelets.
	NotText
)

// ProblemOf looks at a value.
func ProblemOf(value []byte) Problem {
	switch {
	case bytes.IndexByte(value, 0) >= 0:
		return HasNUL
	case !utf8.Valid(value):
		return NotText
	}
	return NoProblem
}

// variableProblem says why a value cannot be the variable of a name, or returns "".
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

// Printed is a value as the bundles have it.
type Printed struct {
	// Entry is the value as a variable and as a file.
	Entry seal.Value
	// Doc is an agent secret's value as the typed document has it: canonical JSON.
	Doc seal.Value
	// Shape is what has to be known of it to lay it out.
	Shape Shape
}

// PrintUser prints the value of a user secret, or returns the outcome of one that is
// not valid.
func PrintUser(_ Item, v seal.Value) (Printed, *Outcome) {
	if v.Len() > maxUserValue {
		o := failed(v1alpha1.ReasonInvalidValue, fmt.Sprintf("the value exceeds %d bytes: shorten it", maxUserValue))
		return Printed{}, &o
	}
	return Printed{Entry: v, Shape: Shape{Raw: v.Len(), Problem: ProblemOf(v.Reveal())}}, nil
}

// PrintAgent prints the value of an agent secret, or returns the outcome of one that is
// not valid.
func PrintAgent(it Item, v seal.Value) (Printed, *Outcome) {
	return printTyped(it, v.Reveal())
}

// ReprintAgent prints what is an entry of a bundle already.
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

// Document builds the typed document of agent secrets and their values. It fails only
// for paths and values that are not canonical.
func Document(items []Item, docs []seal.Value) (seal.Value, error) {
	entries := make([]treeEntry, len(items))
	for i, it := range items {
		entries[i] = treeEntry{Path: it.Path, Value: docs[i].Reveal()}
	}
	doc, err := tree(entries)
	if err != nil {
		return seal.Value{}, fmt.Errorf("build %s: %w", TreeKey, err)
	}
	return seal.NewValue(doc), nil
}
