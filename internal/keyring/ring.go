// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Ring holds the sealing keys in memory. The newest seals, all open. It is safe
// for concurrent use; readers never block.
//
// # Why every value is readable on every replica at every moment
//
// Each replica learns of a new key by its own watch, so at any moment some may
// know a key that others do not. Open makes up for it:
//
//  1. A key is in the API server before anything is sealed with it: a Ring is
//     given, and clients are shown, only keys that are stored there.
//  2. So the key of any text can be found there, unless it was deleted.
//  3. Open, when it does not know the key, returns ErrUnknownKey only after a
//     reload that began after Open was called, and a reload reads live (from
//     the API server with no resource version, which is linearizable). By 2
//     that reload finds the key.
//  4. What a reload found is not taken away by a watch that lags behind: see
//     Learn.
//
// Sealing needs no such step. A replica that does not know the newest key yet
// seals with an older one, which all replicas can open by the same argument,
// and the background re-sealing picks the value up later. That is also why a
// key must not be deleted as soon as no object uses it: see [Store.Delete].
//
// Reloads are rationed, see refresher. A text whose key id is made up costs
// the API server at most one list per second, however many there are.
type Ring struct {
	view      atomic.Pointer[view]
	refresher *refresher // nil if there is nothing to reload from

	mu sync.Mutex
	// watched is what the watch last saw.
	watched map[string]Key
	// learnt is what live reads found and the watch has not seen yet.
	learnt map[string]Key
	// listeners hear of every key that comes or goes, or is to have a successor.
	listeners []func()
}

// view is an immutable state of a Ring.
type view struct {
	newestFirst []Key
	byID        map[string]Key
}

// NewRing returns an empty Ring. reload reads the keys live and passes them to
// Learn ([Store.LoadInto] does both); it is called when a value names a key that
// the Ring does not know, never twice at once, and may be nil.
func NewRing(reload func(context.Context) error) *Ring {
	r := &Ring{}
	r.view.Store(&view{})
	if reload != nil {
		r.refresher = newRefresher(reload)
	}
	return r
}

// Replace sets the keys to those that the watch sees. It forgets keys that the watch no
// longer sees. Keys that a live read found and the watch has never seen stay.
func (r *Ring) Replace(keys []Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watched = byID(keys)
	// The watch has caught up with these. From now on it decides.
	maps.DeleteFunc(r.learnt, func(id string, _ Key) bool {
		_, seen := r.watched[id]
		return seen
	})
	r.rebuild()
}

// Learn adds keys that a live read found.
//
// It never removes any: reads and the watch are not ordered. Forgetting a key too early
// would make values unreadable; remembering a deleted one too long only opens values
// that are no longer stored.
func (r *Ring) Learn(keys []Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.learnt == nil {
		r.learnt = map[string]Key{}
	}
	for id, key := range byID(keys) {
		if _, seen := r.watched[id]; !seen {
			r.learnt[id] = key
		}
	}
	r.rebuild()
}

// rebuild publishes a new view. The caller holds r.mu.
func (r *Ring) rebuild() {
	all := make(map[string]Key, len(r.watched)+len(r.learnt))
	maps.Copy(all, r.learnt)
	maps.Copy(all, r.watched)
	ordered := slices.Collect(maps.Values(all))
	sortNewestFirst(ordered)
	before := r.view.Swap(&view{newestFirst: ordered, byID: all})
	if maps.EqualFunc(before.byID, all, func(a, b Key) bool { return a.ID == b.ID && a.RotateRequested.Equal(b.RotateRequested) }) {
		return
	}
	for _, tell := range r.listeners {
		tell()
	}
}

// Notify calls tell after a key was added or removed, when Open knows about it, and
// when a successor is requested. tell must not block and must not call the Ring.
func (r *Ring) Notify(tell func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listeners = append(r.listeners, tell)
}

func byID(keys []Key) map[string]Key {
	m := make(map[string]Key, len(keys))
	for _, key := range keys {
		if key.Private != nil {
			m[key.ID] = key
		}
	}
	return m
}

// Seal seals v for c with the newest key and returns the text. It returns [ErrNoKey] if
// no key exists.
func (r *Ring) Seal(c seal.Context, v seal.Value) (string, error) {
	keys := r.view.Load().newestFirst
	if len(keys) == 0 {
		return "", ErrNoKey
	}
	sealed, err := seal.Seal(keys[0].Private.Public(), c, v)
	if err != nil {
		return "", err
	}
	return sealed.String(), nil
}

// Open opens text for c. If the Ring does not know the key of text, it reloads; that
// may take a second, because reloads are rate-limited.
//
// Errors that say that the text will never open wrap [ErrUnknownKey],
// unseal.ErrOpen, or one of the errors of seal.Parse. Any other error, such as
// a failed reload or a cancelled ctx, says nothing about the text: try again.
func (r *Ring) Open(ctx context.Context, c seal.Context, text string) (seal.Value, error) {
	sealed, err := seal.Parse(text)
	if err != nil {
		return seal.Value{}, err
	}
	key, err := r.find(ctx, sealed.KeyID())
	if err != nil {
		return seal.Value{}, err
	}
	return key.Private.Open(c, sealed)
}

// Knows reports whether the key that text names exists, without opening text. It
// reloads as Open does. For a text that is not a sealed value it returns true: Open has
// to judge it.
func (r *Ring) Knows(ctx context.Context, text string) (bool, error) {
	id := seal.KeyIDOf(text)
	if id == "" {
		return true, nil
	}
	_, err := r.find(ctx, id)
	if errors.Is(err, ErrUnknownKey) {
		return false, nil
	}
	return err == nil, err
}

func (r *Ring) find(ctx context.Context, id string) (Key, error) {
	if key, ok := r.view.Load().byID[id]; ok {
		return key, nil
	}
	unknown := fmt.Errorf("key %s: %w", id, ErrUnknownKey)
	if r.refresher == nil || r.refresher.isAbsent(id) {
		return Key{}, unknown
	}
	err := r.refresher.refresh(ctx)
	if key, ok := r.view.Load().byID[id]; ok {
		return key, nil
	}
	switch {
	case errors.Is(err, ErrBrokenKey):
		// All readable keys were read. The broken one may be the one that is needed, so
		// report it.
		unknown = fmt.Errorf("%w (while loading the keys: %w)", unknown, err)
	case err != nil:
		return Key{}, fmt.Errorf("look for sealing key %s: %w", id, err)
	}
	r.refresher.setAbsent(id)
	return Key{}, unknown
}

// NewestID returns the id of the key that seals, or "" if no key exists.
func (r *Ring) NewestID() string {
	if keys := r.view.Load().newestFirst; len(keys) > 0 {
		return keys[0].ID
	}
	return ""
}

// Infos returns the public parts of all keys, newest first.
func (r *Ring) Infos() []KeyInfo {
	keys := r.view.Load().newestFirst
	infos := make([]KeyInfo, len(keys))
	for i, key := range keys {
		infos[i] = key.Info()
	}
	return infos
}

// Newer reports whether the key with id a is newer than the key with id b. It is false
// if either is not in the Ring.
func (r *Ring) Newer(a, b string) bool {
	keys := r.view.Load().byID
	keyA, okA := keys[a]
	keyB, okB := keys[b]
	return okA && okB && compareAge(keyA, keyB) > 0
}

// Ready returns nil if the Ring can seal, else [ErrNoKey]. It is for readiness
// checks.
func (r *Ring) Ready() error {
	if len(r.view.Load().newestFirst) == 0 {
		return ErrNoKey
	}
	return nil
}
