// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

// Known is what is known about the value of an object, or why it has none.
type Known struct {
	// Shape describes the value, if the object has one.
	Shape Shape
	// Failure is the object's outcome if the value is not available.
	Failure *Outcome
	// Kept reports that the bundles retain a value of the object, although it is no
	// longer available elsewhere.
	Kept bool
}

// Lost reports whether the object has no value at all.
func (k Known) Lost() bool { return k.Failure != nil && !k.Kept }

// outcome returns the outcome of an object whose value was laid out as o says.
func (k Known) outcome(o Outcome) Outcome {
	if !k.Kept {
		return o
	}
	kept := *k.Failure
	kept.Message += "; the value that the bundle has stays in it"
	kept.Env, kept.File = o.Env, o.File
	return kept
}

// Contents is what one native Secret should contain.
type Contents struct {
	// Owners are the objects whose values are its entries, by key. The typed document
	// belongs to no object.
	Owners map[string]types.UID
	// Paths maps the keys of files to their paths in pods, if they have one of their
	// own.
	Paths map[string]string
	// size is the size of the content, see entrySize.
	size int
}

func newContents(n int) Contents {
	return Contents{Owners: make(map[string]types.UID, n), Paths: map[string]string{}}
}

// add adds one value. If that is impossible, it changes nothing and returns why.
func (c *Contents) add(at *v1alpha1.Landing, path string, owner types.UID, raw int) *Outcome {
	if at == nil {
		return nil
	}
	if _, taken := c.Owners[at.Key]; taken {
		o := failed(v1alpha1.ReasonConflict, fmt.Sprintf("key %s of Secret %s is taken by an earlier object: choose another name", at.Key, at.SecretName))
		return &o
	}
	size := entrySize(len(at.Key), raw)
	if c.size+size > limits.MaxBundleBytes {
		o := full(at.SecretName)
		return &o
	}
	c.Owners[at.Key] = owner
	c.size += size
	if path != "" {
		c.Paths[at.Key] = path
	}
	return nil
}

func (c *Contents) remove(at *v1alpha1.Landing, raw int) {
	if at == nil {
		return
	}
	c.size -= entrySize(len(at.Key), raw)
	delete(c.Owners, at.Key)
	delete(c.Paths, at.Key)
}

// Laid is the layout of a tenant's objects of one kind.
type Laid struct {
	// Env and Files are the contents of the two bundles.
	Env, Files Contents
	// Tree are the objects in the typed document, in its order.
	Tree []*Decision
	// Outcomes are the outcomes of the decisions, in their order.
	Outcomes []Outcome
	// bound is the sum of an upper bound for each entry of the typed document, so that
	// its size is known while values are added.
	bound int
}

// LayUser lays out the values of user secrets.
func LayUser(ds []Decision, known map[types.UID]Known) Laid {
	return lay(ds, known, (*Laid).user)
}

// LayAgent lays out the values of agent secrets, and the typed document if they have
// values.
func LayAgent(ds []Decision, known map[types.UID]Known) Laid {
	l := lay(ds, known, (*Laid).agent)
	if len(l.Tree) > 0 {
		l.Files.Owners[TreeKey] = ""
	}
	return l
}

func lay(ds []Decision, known map[types.UID]Known, one func(*Laid, *Decision, Outcome, Known) Outcome) Laid {
	l := Laid{Env: newContents(len(ds)), Files: newContents(len(ds)), Outcomes: make([]Outcome, 0, len(ds))}
	for i := range ds {
		d := &ds[i]
		o := d.Outcome
		if d.Open {
			if k := known[d.Item.UID]; k.Lost() {
				o = *k.Failure
			} else {
				o = one(&l, d, fits(d, k.Shape), k)
			}
		}
		l.Outcomes = append(l.Outcomes, o)
	}
	return l
}

// user and agent add the value of an object that fits as the outcome o says.
func (l *Laid) user(d *Decision, o Outcome, k Known) Outcome {
	if failure := l.addBoth(d, o, d.Item.File, k.Shape.Raw); failure != nil {
		return *failure
	}
	return k.outcome(o)
}

func (l *Laid) agent(d *Decision, o Outcome, k Known) Outcome {
	bound := treeSize(d.Item.Path, k.Shape.Doc)
	if l.Files.size+l.bound+bound+entrySize(len(o.File.Key), k.Shape.Raw) > limits.MaxBundleBytes {
		return full(v1alpha1.BundleAgentFiles)
	}
	if failure := l.addBoth(d, o, "", k.Shape.Raw); failure != nil {
		return *failure
	}
	if l.Tree == nil {
		l.Tree = make([]*Decision, 0, cap(l.Outcomes))
	}
	l.Tree = append(l.Tree, d)
	l.bound += bound
	return k.outcome(o)
}

// addBoth adds a value as a variable and as a file at a path, or not at all.
func (l *Laid) addBoth(d *Decision, o Outcome, path string, raw int) *Outcome {
	if failure := l.Env.add(o.Env, "", d.Item.UID, raw); failure != nil {
		return failure
	}
	if failure := l.Files.add(o.File, path, d.Item.UID, raw); failure != nil {
		l.Env.remove(o.Env, raw)
		return failure
	}
	return nil
}

// fits returns the outcome of an object with a value of this shape, which may not fit a
// variable.
func fits(d *Decision, is Shape) Outcome {
	if at := d.Outcome.Env; at != nil {
		if problem := variableProblem(at.Key, is); problem != "" {
			return notAVariable(d, problem)
		}
	}
	return d.Outcome
}

func full(secret string) Outcome {
	return failed(v1alpha1.ReasonLimitExceeded, fmt.Sprintf("Secret %s is full (%d bytes): shorten or delete some secrets", secret, limits.MaxBundleBytes))
}
