// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/seal/unseal"
)

var (
	object = seal.Context{Kind: "UserSecret", Namespace: "alice", Name: "gh"}
	epoch  = time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)
)

func newKey(t testing.TB, created time.Time) Key {
	t.Helper()
	key, err := NewKey(created)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sealWith seals with one key, as a replica would that knows no newer one.
func sealWith(t testing.TB, key Key, plaintext string) string {
	t.Helper()
	sealed, err := seal.Seal(key.Private.Public(), object, seal.ValueOf(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return sealed.String()
}

func wantOpens(t testing.TB, ring *Ring, text, want string) {
	t.Helper()
	value, err := ring.Open(t.Context(), object, text)
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	if got := string(value.Reveal()); got != want {
		t.Fatalf("opens to %q, want %q", got, want)
	}
}

func TestAnEmptyRing(t *testing.T) {
	ring := NewRing(nil)
	if _, err := ring.Seal(object, seal.ValueOf("x")); !errors.Is(err, ErrNoKey) {
		t.Errorf("Seal() = %v, want ErrNoKey", err)
	}
	if err := ring.Ready(); !errors.Is(err, ErrNoKey) {
		t.Errorf("Ready() = %v, want ErrNoKey", err)
	}
	if got := ring.NewestID(); got != "" {
		t.Errorf("NewestID() = %q, want none", got)
	}
	if got := ring.Infos(); len(got) != 0 {
		t.Errorf("Infos() has %d keys, want none", len(got))
	}
	if _, err := ring.Open(t.Context(), object, sealWith(t, newKey(t, epoch), "x")); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("Open() = %v, want ErrUnknownKey", err)
	}
}

func TestTheNewestKeySealsAndAllOpen(t *testing.T) {
	older, newer := newKey(t, epoch), newKey(t, epoch.Add(time.Hour))
	twinA, twinB := newKey(t, epoch), newKey(t, epoch)
	if twinA.ID > twinB.ID {
		twinA, twinB = twinB, twinA
	}
	for name, tc := range map[string]struct {
		keys []Key
		want Key
	}{
		"of two keys the later one seals, given last":        {[]Key{older, newer}, newer},
		"of two keys the later one seals, given first":       {[]Key{newer, older}, newer},
		"of keys of one moment the one of the higher id":     {[]Key{twinA, twinB}, twinB},
		"of keys of one moment the same one in either order": {[]Key{twinB, twinA}, twinB},
		"a key without its private half is passed over":      {[]Key{older, {ID: "ffffffffffffffff", Created: newer.Created}}, older},
	} {
		t.Run(name, func(t *testing.T) {
			ring := NewRing(nil)
			ring.Replace(tc.keys)
			if err := ring.Ready(); err != nil {
				t.Errorf("Ready() = %v", err)
			}
			text, err := ring.Seal(object, seal.ValueOf("v"))
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := seal.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if sealed.KeyID() != tc.want.ID || ring.NewestID() != tc.want.ID {
				t.Errorf("sealed with %s, NewestID() = %s, want %s", sealed.KeyID(), ring.NewestID(), tc.want.ID)
			}
			for _, key := range tc.keys {
				if key.Private != nil {
					wantOpens(t, ring, sealWith(t, key, "of "+key.ID), "of "+key.ID)
				}
			}
		})
	}
}

func TestInfosAndNewer(t *testing.T) {
	a, b, c := newKey(t, epoch), newKey(t, epoch.Add(1)), newKey(t, epoch.Add(2))
	ring := NewRing(nil)
	ring.Replace([]Key{b, c, a})
	var got []string
	for _, info := range ring.Infos() {
		got = append(got, info.ID)
		if info.Public.ID() != info.ID || info.Created.IsZero() {
			t.Errorf("key %s has public key %s, created %s", info.ID, info.Public.ID(), info.Created)
		}
	}
	if diff := cmp.Diff([]string{c.ID, b.ID, a.ID}, got); diff != "" {
		t.Errorf("order of Infos() (-want +got):\n%s", diff)
	}
	for name, tc := range map[string]struct {
		a, b string
		want bool
	}{
		"a later key is newer":              {b.ID, a.ID, true},
		"an earlier key is not":             {a.ID, b.ID, false},
		"a key is not newer than itself":    {a.ID, a.ID, false},
		"an unknown key is not newer":       {"0000000000000000", a.ID, false},
		"nothing is newer than the unknown": {a.ID, "0000000000000000", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ring.Newer(tc.a, tc.b); got != tc.want {
				t.Errorf("Newer() = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestOpenTellsItsErrorsApart(t *testing.T) {
	key := newKey(t, epoch)
	ring := NewRing(nil)
	ring.Replace([]Key{key})
	text := sealWith(t, key, "v")
	for name, tc := range map[string]struct {
		context seal.Context
		text    string
		want    error
	}{
		"a text that is not sealed":            {object, "ghp_example", seal.ErrMalformed},
		"a text of another version":            {object, "lk2" + text[3:], seal.ErrVersion},
		"a text of another installation's key": {object, sealWith(t, newKey(t, epoch), "v"), ErrUnknownKey},
		"a text of another object":             {seal.Context{Kind: "UserSecret", Namespace: "bob", Name: "gh"}, text, unseal.ErrOpen},
		"an incomplete context":                {seal.Context{}, text, seal.ErrContext},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ring.Open(t.Context(), tc.context, tc.text); !errors.Is(err, tc.want) {
				t.Errorf("Open() = %v, want %v", err, tc.want)
			}
		})
	}
}

func TestKeysLearntAndWatched(t *testing.T) {
	a, b, c := newKey(t, epoch), newKey(t, epoch.Add(1)), newKey(t, epoch.Add(2))
	for name, tc := range map[string]struct {
		do   func(*Ring)
		want []string
	}{
		"a key that was learnt stays while the watch lags": {
			func(r *Ring) { r.Learn([]Key{a, b}); r.Replace([]Key{a}) }, []string{b.ID, a.ID},
		},
		"a key that the watch forgets is gone": {
			func(r *Ring) { r.Replace([]Key{a, b}); r.Replace([]Key{b}) }, []string{b.ID},
		},
		"a key that was learnt and then watched is gone when the watch forgets it": {
			func(r *Ring) { r.Learn([]Key{a, b}); r.Replace([]Key{a, b}); r.Replace([]Key{b}) }, []string{b.ID},
		},
		"a key that was watched and then learnt is gone when the watch forgets it": {
			func(r *Ring) { r.Replace([]Key{a, b}); r.Learn([]Key{a, b}); r.Replace([]Key{b}) }, []string{b.ID},
		},
		"an older live read takes nothing away": {
			func(r *Ring) { r.Learn([]Key{a, b, c}); r.Learn([]Key{a}) }, []string{c.ID, b.ID, a.ID},
		},
		"a watch that sees nothing leaves nothing": {
			func(r *Ring) { r.Replace([]Key{a}); r.Replace(nil) }, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			ring := NewRing(nil)
			tc.do(ring)
			var got []string
			for _, info := range ring.Infos() {
				got = append(got, info.ID)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}

// Replicas that learn of new keys late, or only by reloading, all read what any
// of them seals while keys rotate under them. Run it with -race.
func TestEveryReplicaOpensWhatAnySealsDuringRotations(t *testing.T) {
	var (
		mu     sync.Mutex
		stored = []Key{newKey(t, epoch)}
	)
	live := func() []Key {
		mu.Lock()
		defer mu.Unlock()
		return append([]Key(nil), stored...)
	}
	const replicas, rounds = 3, 20
	rings := make([]*Ring, replicas)
	for i := range rings {
		rings[i] = NewRing(func(context.Context) error {
			rings[i].Learn(live())
			return nil
		})
		rings[i].refresher.reloads.Rest = func(time.Duration) time.Duration { return 0 } // The ration has a test of its own.
		rings[i].Replace(live())
	}
	var (
		wg       sync.WaitGroup
		rotating atomic.Bool
	)
	rotating.Store(true)
	for i := range replicas {
		wg.Go(func() {
			for n := 0; rotating.Load() || n == 0; n++ {
				want := fmt.Sprintf("%d/%d", i, n)
				text, err := rings[i].Seal(object, seal.ValueOf(want))
				if err != nil {
					t.Error(err)
					return
				}
				for j := range rings {
					value, err := rings[j].Open(t.Context(), object, text)
					if err != nil || string(value.Reveal()) != want {
						t.Errorf("replica %d does not open what replica %d sealed: %v", j, i, err)
						return
					}
				}
			}
		})
	}
	for round := range rounds {
		key := newKey(t, epoch.Add(time.Duration(round+1)*time.Hour))
		mu.Lock()
		stored = append(stored, key)
		mu.Unlock()
		// One replica's watch is on time, one's lags by a round, one's is
		// stuck at the first key.
		rings[0].Replace(live())
		lagging := live()
		rings[1].Replace(lagging[:len(lagging)-1])
		rings[2].Replace(lagging[:1])
	}
	rotating.Store(false)
	wg.Wait()
	text, err := rings[0].Seal(object, seal.ValueOf("last"))
	if err != nil {
		t.Fatal(err)
	}
	for _, ring := range rings {
		wantOpens(t, ring, text, "last")
		if got := len(ring.Infos()); got != rounds+1 {
			t.Errorf("a replica knows %d keys, want %d", got, rounds+1)
		}
	}
}
