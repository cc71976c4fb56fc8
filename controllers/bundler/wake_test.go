// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"testing"

	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// wakingOpener has a key come right after it said that there is none.
type wakingOpener struct {
	*cluster
	r *Reconciler
}

func (o wakingOpener) Open(context.Context, seal.Context, string) (seal.Value, error) {
	o.r.ofKeys(context.Background(), nil)
	return seal.Value{}, keyring.ErrUnknownKey
}

func TestAKeyThatComesWhileATenantIsLookedAtIsNotMissed(t *testing.T) {
	c := newCluster(t)
	c.add(t, "a", canary)
	r := c.reconciler()
	r.Opener = wakingOpener{cluster: c, r: r}
	_, result, err := c.reconcile(t, r)
	if err != nil {
		t.Fatal(err)
	}
	if result.RequeueAfter == 0 {
		t.Fatal("nobody looks again, though the key is there")
	}
	r.Opener = c
	_, result, err = c.reconcile(t, r)
	if err != nil || result.RequeueAfter != 0 {
		t.Fatalf("result %v, error %v; want nothing more to do", result, err)
	}
	if c.opens != 1 {
		t.Errorf("%d values opened, want 1: what was not known then is asked again", c.opens)
	}
}
