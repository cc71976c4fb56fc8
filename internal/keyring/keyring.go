// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package keyring owns the sealing keys of an installation: which one seals, which ones
// open, and where they are stored.
//
// It has three parts. [Ring] has the keys in memory; all code seals and opens with it.
// [Store] stores each key in an immutable Secret in Latchkey's own namespace, publishes
// the public halves in a ConfigMap, and stores the key of the bundle digests. [Watch]
// passes changes of the Secrets to a Ring.
//
// It reads and writes nothing outside Latchkey's own namespace. The controller that
// rotates keys decides when to make and when to retire one.
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
	// ErrNoKey reports that no key exists to seal with.
	ErrNoKey = errors.New("no sealing key is loaded; wait for the controller to create the first one, and check that it runs")

	// ErrUnknownKey reports that the key of a sealed value does not exist in this
	// installation.
	ErrUnknownKey = errors.New("sealing key does not exist in this installation: the value was sealed for another one or the key was deleted; seal the value again")

	// ErrBrokenKey reports that a Secret with the label of sealing keys does not
	// contain one.
	ErrBrokenKey = errors.New("not a usable sealing key; restore the Secret from a backup")

	// ErrNewestKey reports that a key cannot be deleted because it is the one that
	// seals.
	ErrNewestKey = errors.New("key is the one that seals; rotate first")

	// ErrForeign reports that an object with one of our names is not ours. It is left
	// alone.
	ErrForeign = errors.New("an object of this name exists and was not made by Latchkey; delete or rename it")
)

// IsFinal reports whether an error of [Ring.Open] is about the text: the text will
// never open for its object. Any other error says nothing about the text, so a caller
// must try again instead of refusing or dropping it.
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
	// RotateRequested is when a successor was requested; zero for never.
	RotateRequested time.Time
	// Private opens values, and contains the public half, which seals.
	Private *unseal.PrivateKey
}

// KeyInfo is the public part of a Key.
type KeyInfo struct {
	// ID is the id of the key.
	ID string
	// Created is when the key was made.
	Created time.Time
	// Public seals values.
	Public *seal.PublicKey
}

// NewKey makes a key. It must be stored before it seals.
func NewKey(created time.Time) (Key, error) {
	private, err := unseal.Generate()
	if err != nil {
		return Key{}, err
	}
	// Without the monotonic clock and in UTC, so that the key equals itself when it is
	// read again.
	return Key{ID: private.ID(), Created: created.UTC().Round(0), Private: private}, nil
}

// Info returns the public part of k.
func (k Key) Info() KeyInfo {
	return KeyInfo{ID: k.ID, Created: k.Created, Public: k.Private.Public()}
}

// WantsSuccessor reports whether a successor was requested since k was made.
func (k Key) WantsSuccessor() bool { return k.RotateRequested.After(k.Created) }

// compareAge orders keys by age: negative if a is older than b. The id breaks
// ties, so that all replicas agree on the order of any two keys.
func compareAge(a, b Key) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
}

func sortNewestFirst(keys []Key) {
	slices.SortFunc(keys, func(a, b Key) int { return compareAge(b, a) })
}
