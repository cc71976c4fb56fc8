// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/limits"
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

// Opened is the value of an object, or why there is none.
type Opened struct {
	// Value is the value, where Failure is nil. Where Kept is true, it is an entry of
	// the bundles, as it stands there.
	Value seal.Value
	// Failure is the object's outcome where the value could not be had.
	Failure *Outcome
	// Kept says that the bundles hold a value of the object, which stays in them
	// although it could not be had again.
	Kept bool
}

// lost tells whether there is no value at all.
func (op Opened) lost() bool { return op.Failure != nil && !op.Kept }

// outcome returns that of an object whose value was laid out as o says.
func (op Opened) outcome(o Outcome) Outcome {
	if !op.Kept {
		return o
	}
	kept := *op.Failure
	kept.Message += "; the value that the bundle has stays in it"
	kept.Env, kept.File = o.Env, o.File
	return kept
}

// Contents is the content of one native Secret.
type Contents struct {
	// Data holds values by key.
	Data map[string]seal.Value
	// Paths maps the keys of files to the paths of their own that pods have them at.
	Paths map[string]string
	// size is what the content takes, see entrySize.
	size int
}

func newContents() Contents {
	return Contents{Data: map[string]seal.Value{}, Paths: map[string]string{}}
}

// add takes one value in; it says why it cannot, and then changes nothing.
func (c *Contents) add(at *v1alpha1.Landing, path string, v seal.Value) *Outcome {
	if at == nil {
		return nil
	}
	if _, taken := c.Data[at.Key]; taken {
		o := failed(v1alpha1.ReasonConflict, fmt.Sprintf("key %s of Secret %s is taken by an earlier object: choose another name", at.Key, at.SecretName))
		return &o
	}
	size := entrySize(len(at.Key), v.Len())
	if c.size+size > limits.MaxBundleBytes {
		o := full(at.SecretName)
		return &o
	}
	c.Data[at.Key] = v
	c.size += size
	if path != "" {
		c.Paths[at.Key] = path
	}
	return nil
}

func (c *Contents) remove(at *v1alpha1.Landing) {
	if at == nil {
		return
	}
	c.size -= entrySize(len(at.Key), c.Data[at.Key].Len())
	delete(c.Data, at.Key)
	delete(c.Paths, at.Key)
}

// addBoth takes a value in as a variable and as a file at a path, or in neither way.
func addBoth(env, files *Contents, d Decision, path string, v seal.Value) *Outcome {
	if o := env.add(d.Outcome.Env, "", v); o != nil {
		return o
	}
	if o := files.add(d.Outcome.File, path, v); o != nil {
		env.remove(d.Outcome.Env)
		return o
	}
	return nil
}

// Filled is what one kind of objects makes of a tenant.
type Filled struct {
	// Env and Files are the contents of the two bundles.
	Env, Files Contents
	// Outcomes are those of the decisions, in their order.
	Outcomes []Outcome
}

// FillUser lays out the values of user secrets. It does not fail.
func FillUser(ds []Decision, opened map[types.UID]Opened) (Filled, error) {
	f := Filled{Env: newContents(), Files: newContents()}
	for _, d := range ds {
		f.Outcomes = append(f.Outcomes, f.user(d, opened))
	}
	return f, nil
}

func (f *Filled) user(d Decision, opened map[types.UID]Opened) Outcome {
	if !d.Open {
		return d.Outcome
	}
	op := opened[d.Item.UID]
	if op.lost() {
		return *op.Failure
	}
	if op.Value.Len() > maxUserValue {
		return failed(v1alpha1.ReasonInvalidValue, fmt.Sprintf("the value exceeds %d bytes: shorten it", maxUserValue))
	}
	d.Outcome = fits(d, op.Value.Reveal())
	if o := addBoth(&f.Env, &f.Files, d, d.Item.File, op.Value); o != nil {
		return *o
	}
	return op.outcome(d.Outcome)
}

// fits returns the outcome of an object whose value is known: it may be no variable.
func fits(d Decision, value []byte) Outcome {
	if at := d.Outcome.Env; at != nil {
		if problem := variableProblem(at.Key, Shape{Raw: len(value), Problem: ProblemOf(value)}); problem != "" {
			return notAVariable(d, problem)
		}
	}
	return d.Outcome
}

// FillAgent lays out the values of agent secrets, and the typed document of them
// all where there is any. It fails only where that document cannot be built, which
// canonical paths and values cannot cause.
func FillAgent(ds []Decision, opened map[types.UID]Opened) (Filled, error) {
	f := Filled{Env: newContents(), Files: newContents()}
	var tree treeBuilder
	for _, d := range ds {
		f.Outcomes = append(f.Outcomes, f.agent(d, opened, &tree))
	}
	if len(tree.entries) == 0 {
		return f, nil
	}
	doc, err := typedvalue.Tree(tree.entries)
	if err != nil {
		return Filled{}, fmt.Errorf("build %s: %w", TreeKey, err)
	}
	f.Files.Data[TreeKey] = seal.NewValue(doc)
	return f, nil
}

// treeBuilder collects the typed document. Its size is kept as the sum of an upper
// bound for every entry, so that room for it is known while values are taken in.
type treeBuilder struct {
	entries []typedvalue.Entry
	bound   int
}

func (f *Filled) agent(d Decision, opened map[types.UID]Opened, tree *treeBuilder) Outcome {
	if !d.Open {
		return d.Outcome
	}
	op := opened[d.Item.UID]
	if op.lost() {
		return *op.Failure
	}
	stored := op.Value.Reveal()
	if op.Kept {
		stored = typedvalue.ParseRaw(d.Item.Type, stored)
	}
	canonical, err := typedvalue.CheckStored(d.Item.Type, stored)
	if err != nil {
		return failed(v1alpha1.ReasonTypeMismatch, err.Error()+": set a value of the type secretType")
	}
	raw := typedvalue.PrintRaw(d.Item.Type, canonical)
	bound := treeSize(d.Item.Path, len(canonical))
	d.Outcome = fits(d, raw)
	if f.Files.size+tree.bound+bound+entrySize(len(d.Outcome.File.Key), len(raw)) > limits.MaxBundleBytes {
		return full(v1alpha1.BundleAgentFiles)
	}
	if failure := addBoth(&f.Env, &f.Files, d, "", seal.NewValue(raw)); failure != nil {
		return *failure
	}
	tree.entries = append(tree.entries, typedvalue.Entry{Path: d.Item.Path, Value: canonical})
	tree.bound += bound
	return op.outcome(d.Outcome)
}

func full(secret string) Outcome {
	return failed(v1alpha1.ReasonLimitExceeded, fmt.Sprintf("Secret %s is full (%d bytes): shorten or delete some secrets", secret, limits.MaxBundleBytes))
}
