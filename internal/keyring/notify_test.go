// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"testing"
	"time"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

func TestNotifyTellsOfKeysThatComeAndGoWhenTheyCanBeUsed(t *testing.T) {
	key, err := NewKey(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	asked := key
	asked.RotateRequested = key.Created.Add(time.Second)
	ring := NewRing(nil)
	told, usable := 0, 0
	ring.Notify(func() {
		told++
		usable = len(ring.view.Load().newestFirst)
	})
	steps := []struct {
		name       string
		do         func()
		wantTold   int
		wantUsable int
	}{
		{"a key is learnt", func() { ring.Learn([]Key{key}) }, 1, 1},
		{"it is learnt again", func() { ring.Learn([]Key{key}) }, 1, 1},
		{"the watch sees it too", func() { ring.Replace([]Key{key}) }, 1, 1},
		{"a successor is asked for", func() { ring.Replace([]Key{asked}) }, 2, 1},
		{"once", func() { ring.Replace([]Key{asked}) }, 2, 1},
		{"the watch sees it no more", func() { ring.Replace(nil) }, 3, 0},
		{"and still not", func() { ring.Replace(nil) }, 3, 0},
		{"it is back", func() { ring.Replace([]Key{key}) }, 4, 1},
		{"something is sealed", func() {
			_, err = ring.Seal(seal.Context{Kind: "UserSecret", Namespace: "a", Name: "b"}, seal.ValueOf("v"))
		}, 4, 1},
	}
	for _, step := range steps {
		step.do()
		if err != nil {
			t.Fatal(err)
		}
		if told != step.wantTold || usable != step.wantUsable {
			t.Errorf("%s: told %d times, %d keys usable; want %d and %d", step.name, told, usable, step.wantTold, step.wantUsable)
		}
	}
}
