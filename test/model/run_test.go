// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/test/framework"
)

const (
	canary = "canary-model"
	// tenants and rounds are how many a run has, stepsPerRound how many steps at most.
	tenants, rounds, stepsPerRound = 3, 8, 5
	// crashes are after how many requests at most the controller dies.
	crashes = 12
	// patience is how long it may take until all is as it is to be.
	patience = 30 * time.Second
)

// run is one run, which follows from its seed.
type run struct {
	random *rand.Rand
	api    client.Client
	as     *rest.Config // the controller's
	key    digest.Key

	tenants []*tenant
	keys    []keyring.Key // of this run, the newest last
	lost    map[string]bool
	alive   *process
	serial  int
	log     []string // what was done
}

func newRun(ctx context.Context, stack *framework.Stack, as *rest.Config, key digest.Key, seed uint64) (*run, error) {
	r := &run{
		random: rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // a run is repeated from its seed
		api:    stack.Client, as: as, key: key, lost: map[string]bool{},
	}
	for range tenants {
		namespace := framework.Namespace("")
		if err := r.api.Create(ctx, namespace); err != nil {
			return nil, err
		}
		r.tenants = append(r.tenants, &tenant{
			namespace: namespace.Name, lost: r.lost,
			secrets: map[string]*secret{}, sources: map[string]string{}, foreign: map[string]bool{},
		})
	}
	return r, nil
}

// play does random things, round after round, and compares after each.
func (r *run) play(ctx context.Context) error {
	defer func() {
		if r.alive != nil {
			r.alive.stop()
		}
	}()
	for n := range rounds {
		r.note("round %d", n)
		if err := r.round(ctx); err != nil {
			return fmt.Errorf("%w\nwhat was done:\n%s", err, joined(r.log))
		}
	}
	return r.end(ctx)
}

func (r *run) note(format string, args ...any) { r.log = append(r.log, fmt.Sprintf(format, args...)) }

func joined(lines []string) string {
	out := ""
	for _, l := range lines {
		out += "  " + l + "\n"
	}
	return out
}

// round lets a controller live that will die, does something, and has others live and die
// until one is spared.
func (r *run) round(ctx context.Context) error {
	if err := r.live(ctx); err != nil {
		return err
	}
	loses := r.random.IntN(3) == 0
	if err := r.turnKeys(ctx, loses); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	for range 1 + r.random.IntN(stepsPerRound*tenants) {
		t, _ := pick(r, r.tenants)
		s, _ := pick(r, steps)
		if s.loses && !loses || s.harms && (loses || !t.calm()) {
			continue
		}
		r.note("%s: %s", t.namespace, s.name)
		if err := s.do(r, ctx, t); err != nil {
			return fmt.Errorf("%s: %s: %w", t.namespace, s.name, err)
		}
	}
	for range r.random.IntN(3) {
		select {
		case <-r.alive.died:
		case <-time.After(200 * time.Millisecond): // nothing is left that it could die of
		}
		if err := r.live(ctx); err != nil {
			return err
		}
	}
	r.alive.spare()
	select {
	case <-r.alive.died:
		r.alive.stop()
		var err error
		if r.alive, err = start(ctx, r.as, r.key, -1, false); err != nil {
			return err
		}
	default:
	}
	return r.settle(ctx)
}

// live replaces the controller by one that dies after a random number of requests.
func (r *run) live(ctx context.Context) error {
	if r.alive != nil {
		r.alive.stop()
	}
	after, reaches := r.random.IntN(crashes), r.random.IntN(2) == 0
	r.note("a controller that dies after %d requests, of which the last is answered to nobody: %t", after, reaches)
	var err error
	r.alive, err = start(ctx, r.as, r.key, after+startRequests, reaches)
	return err
}

// startRequests is about how many requests a controller makes before it looks at a tenant.
const startRequests = 8

// settle waits until everything is as the model says.
func (r *run) settle(ctx context.Context) error {
	for _, t := range r.tenants {
		var last error
		err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
			err := r.compare(ctx, t)
			if ctx.Err() == nil {
				last = err
			}
			return err == nil, nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w: %w", t.namespace, err, last)
		}
	}
	r.note("all is as it is to be")
	return nil
}

// turnKeys makes a new sealing key, takes an older one away, or brings it back. A key that
// is away is never the newest.
func (r *run) turnKeys(ctx context.Context, loses bool) error {
	if len(r.keys) == 0 || r.random.IntN(4) == 0 {
		r.note("a new sealing key")
		key, err := keyring.NewKey(time.Now())
		if err != nil {
			return err
		}
		r.keys = append(r.keys, key)
		if err := r.api.Create(ctx, keyring.EncodeSecret(key, framework.SystemNamespace)); err != nil {
			return err
		}
		return r.awaitSealing(ctx, key.ID)
	}
	key, ok := pick(r, r.keys[:len(r.keys)-1])
	switch {
	case !ok:
		return nil
	case r.lost[key.ID]:
		r.note("sealing key %s is back", key.ID)
		delete(r.lost, key.ID)
		return r.api.Create(ctx, keyring.EncodeSecret(key, framework.SystemNamespace))
	case loses:
		r.note("sealing key %s is lost", key.ID)
		r.lost[key.ID] = true
		return r.api.Delete(ctx, keyring.EncodeSecret(key, framework.SystemNamespace))
	}
	return nil
}

// awaitSealing waits until admission seals with a key.
func (r *run) awaitSealing(ctx context.Context, id string) error {
	return wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		u := framework.UserSecret(r.tenants[0].namespace, "probe", v1alpha1.UserSecretSpec{Value: v1alpha1.WriteOnlyString("probe")})
		err := r.api.Create(ctx, u, client.DryRunAll)
		return err == nil && seal.KeyIDOf(u.Spec.SealedValue) == id, err
	})
}

// end brings lost keys back and removes what the run made, so that runs do not slow each
// other down, and checks that nothing is left behind.
func (r *run) end(ctx context.Context) error {
	r.note("the end")
	for _, key := range r.keys {
		if r.lost[key.ID] {
			delete(r.lost, key.ID)
			if err := r.api.Create(ctx, keyring.EncodeSecret(key, framework.SystemNamespace)); err != nil {
				return err
			}
		}
	}
	for _, t := range r.tenants {
		for len(t.secrets) > 0 {
			if err := r.remove(ctx, t); err != nil && !apierrors.IsNotFound(err) {
				return err
			}
		}
	}
	if err := r.settle(ctx); err != nil {
		return fmt.Errorf("%w\nwhat was done:\n%s", err, joined(r.log))
	}
	return nil
}
