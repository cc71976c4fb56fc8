// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package keyring owns the sealing keys of an installation: which one seals,
// which ones open, and where they are kept.
//
// It has three parts. [Ring] holds the keys in memory and is what everybody
// seals and opens with. [Store] keeps each key in an immutable Secret in
// Latchkey's own namespace, publishes the public halves in a ConfigMap, and
// keeps the key of the bundle digests. [Watch] carries changes of the Secrets
// into a Ring.
//
// It reads and writes nothing outside Latchkey's own namespace. When to make a
// key and when to retire one is decided by the controller that rotates them,
// not here.
package keyring

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/seal/unseal"
)

var (
	// ErrNoKey says that there is no key to seal with.
	ErrNoKey = errors.New("no sealing key is loaded; wait for the controller to create the first one, and check that it runs")

	// ErrUnknownKey says that the key which a value was sealed with does not
	// exist in this installation.
	ErrUnknownKey = errors.New("sealing key does not exist in this installation: the value was sealed for another one or the key was deleted; seal the value again")

	// ErrBrokenKey says that a Secret which is labelled as a sealing key does
	// not hold one.
	ErrBrokenKey = errors.New("not a usable sealing key; restore the Secret from a backup")

	// ErrNewestKey says that a key cannot be deleted because it is the one that
	// seals.
	ErrNewestKey = errors.New("key is the one that seals; rotate first")

	// ErrForeign says that an object with one of our names is not ours. It is
	// left alone.
	ErrForeign = errors.New("an object of this name exists and was not made by Latchkey; delete or rename it")
)

// IsFinal says whether an error of [Ring.Open] is a verdict on the text: as it is,
// it does not open for its object. Any other error says nothing about the text, and
// whoever would refuse or drop it must try again instead.
func IsFinal(err error) bool {
	for _, verdict := range []error{
		ErrUnknownKey, unseal.ErrOpen, unseal.ErrWrongKey,
		seal.ErrMalformed, seal.ErrVersion, seal.ErrTooLarge, seal.ErrContext,
	} {
		if errors.Is(err, verdict) {
			return true
		}
	}
	return false
}

// Key is a sealing key.
type Key struct {
	// ID is the id of the key, by which sealed values refer to it.
	ID string
	// Created orders the keys: the newest seals.
	Created time.Time
	// RotateRequested is when somebody asked for a successor; zero for never.
	RotateRequested time.Time
	// Private opens, and holds the half that seals.
	Private *unseal.PrivateKey
}

// KeyInfo is what is public of a Key.
type KeyInfo struct {
	// ID is the id of the key.
	ID string
	// Created is when the key was made.
	Created time.Time
	// Public is the half that seals.
	Public *seal.PublicKey
}

// NewKey makes a key. It is stored nowhere yet and must not seal before it is.
func NewKey(created time.Time) (Key, error) {
	private, err := unseal.Generate()
	if err != nil {
		return Key{}, err
	}
	// Without the monotonic clock and in UTC, so that the key equals itself
	// when it is read back.
	return Key{ID: private.ID(), Created: created.UTC().Round(0), Private: private}, nil
}

// Info returns what is public of k.
func (k Key) Info() KeyInfo {
	return KeyInfo{ID: k.ID, Created: k.Created, Public: k.Private.Public()}
}

// WantsSuccessor reports whether somebody asked for a successor since k was made.
func (k Key) WantsSuccessor() bool { return k.RotateRequested.After(k.Created) }

// compareAge orders keys by age: negative if a is older than b. The id breaks
// ties, so that all replicas agree on the order of any two keys.
func compareAge(a, b Key) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
}

func sortNewestFirst(keys []Key) {
	slices.SortFunc(keys, func(a, b Key) int { return compareAge(b, a) })
}
