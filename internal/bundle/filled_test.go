// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Opened is the value of an object, or why there is none.
type Opened struct {
	Value   seal.Value
	Failure *Outcome
	Kept    bool // Value is an entry of the bundles
}

// Filled is what is laid out, with values.
type Filled struct {
	Env, Files FilledContents
	Outcomes   []Outcome
}

// FilledContents has the values of a bundle.
type FilledContents struct {
	Contents
	Data map[string]seal.Value
}

// fill prints values, lays them out and puts them in, as controllers do where all is new.
func fill(ds []Decision, opened map[types.UID]Opened, laid func([]Decision, map[types.UID]Known) Laid,
	printed, reprinted func(Item, seal.Value) (Printed, *Outcome),
) (Filled, error) {
	known, hand := map[types.UID]Known{}, map[types.UID]Printed{}
	for _, d := range ds {
		uid := d.Item.UID
		op := opened[uid]
		k := Known{Failure: op.Failure, Kept: op.Kept}
		if !k.Lost() && d.Open {
			how := printed
			if op.Kept {
				how = reprinted
			}
			p, failure := how(d.Item, op.Value)
			if failure != nil {
				k = Known{Failure: failure}
			}
			k.Shape, hand[uid] = p.Shape, p
		}
		known[uid] = k
	}
	l := laid(ds, known)
	f := Filled{Outcomes: l.Outcomes}
	for c, to := range map[*Contents]*FilledContents{&l.Env: &f.Env, &l.Files: &f.Files} {
		to.Contents, to.Data = *c, map[string]seal.Value{}
		for key, uid := range c.Owners {
			if uid != "" {
				to.Data[key] = hand[uid].Entry
			}
		}
	}
	if len(l.Tree) == 0 {
		return f, nil
	}
	doc, err := Document(l.Tree, func(d *Decision) []byte { return hand[d.Item.UID].Doc.Reveal() })
	f.Files.Data[TreeKey] = doc
	return f, err
}

// FillUser lays out the values of user secrets.
func FillUser(ds []Decision, opened map[types.UID]Opened) (Filled, error) {
	return fill(ds, opened, LayUser, PrintUser, PrintUser)
}

// FillAgent lays out the values of agent secrets.
func FillAgent(ds []Decision, opened map[types.UID]Opened) (Filled, error) {
	return fill(ds, opened, LayAgent, PrintAgent, ReprintAgent)
}
